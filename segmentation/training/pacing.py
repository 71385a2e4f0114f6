"""How many steps fit into the time that there is: measured on a network that is then thrown away."""

import math
import time
from typing import NamedTuple

from segmentation.prediction import masks
from segmentation.training import batches

FIRST, MEASURED = 3, 6  # steps before the measured ones, since the first builds the graph; seconds of the measured ones
LOOKED_AT = 4  # batches of held-out sections that are timed
PICTURES, FILES = 1.0, 2.0  # seconds that drawing takes an epoch, and writing at the end


class Pace(NamedTuple):
    """Seconds of a step, of what follows each epoch, of a predicted pixel, and of building the graphs."""

    step: float
    epoch: float
    pixel: float
    graphs: float


def measure(network, crops, sections, turns):
    """The `Pace` of a compiled network, which is trained by this.

    Parameters
    ----------
    network : keras.Model
    crops, sections : data.Crops, data.Sections
    turns : str
        As for `masks.predict`.
    """

    def fit(steps):
        return _time(lambda: network.fit(trained_on, steps_per_epoch=steps, shuffle=False, verbose=0))

    def evaluate(steps):
        return _time(lambda: network.evaluate(held_out, steps=steps, verbose=0))

    def predict():
        return _time(lambda: masks.predict(network, image, turns=turns))

    trained_on, held_out = batches.Batches(crops), batches.Batches(sections, workers=1)
    image = sections.images[0][:]
    building = fit(FIRST)
    count = min(len(crops), max(FIRST, math.ceil(MEASURED / (fit(FIRST) / FIRST))))
    step = fit(count) / count
    first_batch, looked_at = evaluate(1), min(LOOKED_AT, len(sections))
    batch = evaluate(looked_at) / looked_at
    first_prediction, prediction = predict(), predict()
    return Pace(
        step=step,
        epoch=batch * len(sections) + PICTURES,
        pixel=prediction / (image.shape[0] * image.shape[1]),
        # Two networks predict: the one that is trained, for the pictures, and the one that is kept.
        graphs=building - FIRST * step + first_batch - batch + 2 * (first_prediction - prediction),
    )


def _time(work):
    """Seconds that a function takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def choose_steps(seconds, pace, epochs, pixels, count=1):
    """Steps an epoch, so that trainings and what follows them take about so many seconds; 1 if these are too few.

    Parameters
    ----------
    seconds : float
    pace : Pace
    epochs : int
    pixels : int
        Of the images that are predicted at the end.
    count : int
        Of networks, which share what is held out.
    """
    rest = count * pace.graphs + epochs * pace.epoch + pixels * pace.pixel + FILES
    return max(1, int((seconds - rest) / (count * epochs * pace.step)))
