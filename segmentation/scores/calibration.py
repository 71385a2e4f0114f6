"""Probabilities that mean what they say: a temperature that makes them so, and how far they are off.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. There the temperature divides what goes into
the sigmoid or the softmax; here it does so to probabilities, since those of several turns are averaged before. Of more
than two classes each has a temperature of its own (their vector scaling, without the bias).
"""

import numpy as np
from scipy import optimize, special

from segmentation.files import classes

TEMPERATURES = 0.1, 10.0  # that are tried
BINS = 15
MOST_PIXELS = 2**18  # that are looked at
SMALLEST = 1e-6  # probability, so that its logarithm is finite
STIFF = 0.12  # what it costs by image that classes differ: a few would else decide on a rare one (benchmarks/LOG.md)


def calibrate(probability, temperature):
    """Probabilities at a temperature: above 1 they are less sure, below 1 surer.

    The most probable class stays, unless each has a temperature of its own.

    Parameters
    ----------
    probability : float array (height, width) or (height, width, classes) in [0, 1]
        Of the higher of two classes, or of each.
    temperature : float, or sequence of a float a class

    Returns
    -------
    array like `probability`
    """
    if np.all(np.equal(temperature, 1)):
        return probability
    if probability.ndim == 2:
        return _to_each(calibrate(_to_each(probability), temperature))
    power = np.maximum(probability, SMALLEST) ** np.divide(1, temperature, dtype=probability.dtype)
    return (power / power.sum(-1, keepdims=True)).astype(probability.dtype)


def _to_each(probability):
    """From the probability of the higher of two classes to those of both, and back."""
    return np.stack([1 - probability, probability], axis=-1) if probability.ndim == 2 else probability[..., 1]


def uncalibrate(threshold, temperature):
    """The threshold of probabilities that `calibrate` would turn into this one: float in [0, 1]."""
    odds = (threshold / (1 - threshold)) ** temperature if threshold < 1 else np.inf
    return float(odds / (1 + odds)) if np.isfinite(odds) else 1.0


def fit_temperature(labels, maps):
    """The temperatures at which labels are the most likely, by sections that the network was not trained on.

    Parameters
    ----------
    labels : list of arrays (height, width)
        Classes, as from `classes.classify`.
    maps : list of float arrays (height, width) or (height, width, classes) in [0, 1]

    Returns
    -------
    float, or of more than two classes a tuple of a float a class
        1 if nothing is labelled.
    """
    numbers, each = _gather(labels, maps)
    if not len(numbers):
        return 1.0
    logarithms, chosen = np.log(np.maximum(each, SMALLEST)), (np.arange(len(numbers)), numbers)
    stiff = STIFF / len(labels)

    def loss(colds):
        """Cross-entropy, with what it costs that classes differ, and its slopes; a temperature is exp(-cold)."""
        scaled = logarithms * np.exp(colds)
        probability = special.softmax(scaled, axis=1)
        wrong = probability.copy()
        wrong[chosen] -= 1
        slopes = np.mean(wrong * scaled, axis=0)
        likelihood = np.log(np.maximum(probability[chosen], np.finfo(float).tiny))
        apart = colds - np.mean(colds)
        slopes = slopes + 2 * stiff * apart if len(colds) > 1 else slopes.sum(keepdims=True)
        return stiff * np.sum(apart**2) - np.mean(likelihood), slopes

    count = each.shape[1] if each.shape[1] > 2 else 1
    found = optimize.minimize(loss, np.zeros(count), jac=True, bounds=[np.log(TEMPERATURES)] * count)
    temperatures = tuple(np.exp(-found.x).tolist())
    return temperatures if count > 1 else temperatures[0]


def find_median(temperatures):
    """The median of the temperatures of several networks, of each class if each has one: float or tuple of float."""
    median = np.median(np.broadcast_arrays(*temperatures), axis=0)  # an older network may have one for all classes
    return tuple(median.tolist()) if median.ndim else float(median)


def _gather(labels, maps):
    """Some labelled pixels of sections, evenly spread: their classes, and the probabilities of each class."""
    step = max(1, sum(label.size for label in labels) // MOST_PIXELS)
    numbers, each = [], []
    for label, probability in zip(labels, maps, strict=True):
        known = classes.known(label)
        both = _to_each(probability) if probability.ndim == 2 else probability
        numbers.append(label[known][::step].astype(int))
        each.append(both[known][::step])
    return (np.concatenate(numbers), np.concatenate(each)) if numbers else (np.array([], int), np.zeros((0, 2)))


def measure_reliability(labels, maps):
    """How often masks are right that are so sure.

    Parameters as for `fit_temperature`.

    Returns
    -------
    list of (sure, right, share)
        For each of `BINS` ranges of how sure the network is that holds some pixels: the mean of how sure it is, the
        share of them that are right, and their share of all.
    """
    numbers, each = _gather(labels, maps)
    sure, right = each.max(1), each.argmax(1) == numbers
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    rows = []
    for place in np.unique(places):
        inside = places == place
        rows.append((float(sure[inside].mean()), float(right[inside].mean()), float(inside.mean())))
    return rows


def pool(parts):
    """The reliability of several sections as one.

    Parameters
    ----------
    parts : list of (rows, pixels)
        Rows as from `measure_reliability`, and how many pixels these were measured on.

    Returns
    -------
    list of (sure, right, share)
    """
    every = np.array([(sure, right, share * pixels) for rows, pixels in parts for sure, right, share in rows])
    if not len(every):
        return []
    places = np.minimum((every[:, 0] * BINS).astype(int), BINS - 1)
    ranges = [every[places == place] for place in np.unique(places)]
    return [
        (*map(float, np.average(rows[:, :2], axis=0, weights=rows[:, 2])), float(rows[:, 2].sum() / every[:, 2].sum()))
        for rows in ranges
    ]


def expected_error(rows):
    """The expected calibration error of rows from `measure_reliability`: how far sure and right are apart."""
    return float(sum(share * abs(sure - right) for sure, right, share in rows))
