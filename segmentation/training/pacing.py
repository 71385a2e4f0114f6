"""How many steps fit into the time that there is: measured on a network that is then thrown away."""

import math
import time
from typing import NamedTuple

from segmentation import figures  # noqa: F401 (its start would be timed with the first section)
from segmentation.prediction import masks, networks
from segmentation.scores import calibration, tables
from segmentation.training import batches, report

FIRST, MEASURED = 3, 6  # steps before the measured ones, since the first builds the graph; seconds of the measured ones
LOOKED_AT = 4  # batches of held-out sections that are timed
PICTURES, FILES = 1.0, 4.0  # seconds that drawing takes an epoch, and starting, loading and writing together


class Pace(NamedTuple):
    """Seconds of a step, of what follows each epoch, of a pixel as masks and scores take it, and of building graphs.

    `masked` is a pixel that is predicted, and made a mask of, as in a test image, `scored` one of a held-out image.
    """

    step: float
    epoch: float
    masked: float
    scored: float
    graphs: float


def measure(network, crops, sections, turns, known):
    """The `Pace` of a compiled network, which is trained by this.

    Parameters
    ----------
    network : keras.Model
    crops, sections : data.Crops, data.Sections
    turns : str
        As for `masks.predict`.
    known : classes.Classes
    """

    def fit(steps):
        return _time(network.fit, trained_on, steps_per_epoch=steps, shuffle=False, verbose=0)[0]

    def evaluate(steps):
        return _time(network.evaluate, held_out, steps=steps, verbose=0)[0]

    trained_on, held_out = batches.Batches(crops), batches.Batches(sections, workers=1)
    image, label = sections.images[0][:], sections.labels[0][:]
    building = fit(FIRST)
    count = min(len(crops), max(FIRST, math.ceil(MEASURED / (fit(FIRST) / FIRST))))
    step = fit(count) / count
    first_batch, looked_at = evaluate(1), min(LOOKED_AT, len(sections))
    batch = evaluate(looked_at) / looked_at
    first_prediction, _ = _time(masks.predict, network, image, turns)
    prediction, probability = _time(masks.predict, network, image, turns)
    choosing, border = _time(masks.choose_border, [label], [probability], known)
    making, mask = _time(masks.to_mask, probability, networks.Settings(border=border))
    scoring, _ = _time(_score, image, label, probability, mask, known)
    pixels = image.shape[0] * image.shape[1]
    return Pace(
        step=step,
        epoch=batch * len(sections) + PICTURES,
        masked=(prediction + making) / pixels,
        scored=(prediction + choosing + making + scoring) / pixels,
        # Two networks predict: the one that is trained, for the pictures, and the one that is kept.
        graphs=building - FIRST * step + first_batch - batch + 2 * (first_prediction - prediction),
    )


def _score(image, label, probability, mask, known):
    """What a held-out section is put through once it has a mask."""
    shown = report.Sections(known, calibration.fit_temperature([label], [probability]))
    shown.add("", image, label, probability, mask, tables.score_mask(label, mask, known))


def _time(work, *given, **named):
    """Seconds that a function takes, and what it returns."""
    started = time.perf_counter()
    result = work(*given, **named)
    return time.perf_counter() - started, result


def choose_steps(seconds, pace, epochs, *, masked, scored, count=1):
    """Steps an epoch, so that trainings and what follows them take about so many seconds; 1 if these are too few.

    Parameters
    ----------
    seconds : float
    pace : Pace
    epochs : int
    masked, scored : int
        Pixels of the test images, and of what is held out.
    count : int
        Of networks, which share what is held out.
    """
    rest = count * pace.graphs + epochs * pace.epoch + masked * pace.masked + scored * pace.scored + FILES
    return max(1, int((seconds - rest) / (count * epochs * pace.step)))
