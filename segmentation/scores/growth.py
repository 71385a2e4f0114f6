"""Learning curves: what more labelled images would bring.

What is missing to a perfect score falls as a power of the number of images (Cortes et al., "Learning Curves", NIPS
1993; Hestness et al., arXiv 1712.00409). Its logarithm is a straight line, which is fitted and followed.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
FEWEST = 3  # counts that a line and its uncertainty take
LEAST = 1e-4  # that may be missing to a perfect score, so that it has a logarithm
SMALL = 0.01  # a gain that is not worth the labels
CERTAINTY = 0.8  # that the truth is between `lowest` and `highest`


class Outlook(NamedTuple):
    """A score that is foretold: the likeliest, and what it is between with a probability of `CERTAINTY`."""

    score: float
    lowest: float
    highest: float


def choose_counts(images):
    """How many of so many images to train on: an eighth, a quarter, a half and all; list of int, rising.

    Raises
    ------
    ValueError
        If there are too few images.
    """
    counts = sorted({max(1, round(images * share)) for share in SHARES})
    if len(counts) < FEWEST:
        raise ValueError(f"{images} images to train on are too few to tell what more would bring; 3 are the least.")
    return counts


def spread(images, count):
    """Numbers of `count` of so many images, evenly spread over all: list of int."""
    return [int((place + 0.5) * images / count) for place in range(count)]


def foretell(counts, scores, count):
    """The score that so many images would have.

    Parameters
    ----------
    counts : sequence of int
        Of images, `FEWEST` different ones at least.
    scores : sequence of float
        What was reached with them, in [0, 1].
    count : int

    Returns
    -------
    Outlook
        By the prediction interval of a straight line through the logarithms of what is missing to 1.
    """
    x, y = np.log(counts), np.log(np.maximum(1 - np.asarray(scores), LEAST))
    slope, offset = np.polyfit(x, y, 1)
    free = len(x) - 2
    variance = np.sum((y - offset - slope * x) ** 2) / free
    away = (np.log(count) - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    wide = stats.t.ppf((1 + CERTAINTY) / 2, free) * np.sqrt(variance * (1 + 1 / len(x) + away))
    middle = offset + slope * np.log(count)
    return Outlook(*(float(np.clip(1 - np.exp(value), 0, 1)) for value in (middle, middle + wide, middle - wide)))


def look_back(counts, scores):
    """What would have been foretold for all images without the last training: a sentence, None if these are too few."""
    if len(counts) <= FEWEST:
        return None
    outlook = foretell(counts[:-1], scores[:-1], counts[-1])
    right = "in" if outlook.lowest <= scores[-1] <= outlook.highest else "not in"
    between = f"{outlook.lowest:.3f} to {outlook.highest:.3f}"
    return f"From fewer, {between} would have been foretold for {counts[-1]}: {scores[-1]:.3f} is {right} that."


def describe(name, counts, scores, outlook):
    """What twice as many images would bring: a sentence.

    Parameters
    ----------
    name : str
        Of the score.
    counts, scores
        As for `foretell`.
    outlook : Outlook
        For twice as many images as there are.
    """
    if max(scores) < SMALL:
        return f"None of these networks has found anything ({name} {max(scores):.3f}): more images alone will not help."
    _, lowest, highest = (value - scores[-1] for value in outlook)
    between = f"{outlook.lowest:.3f} to {outlook.highest:.3f}, with a probability of {CERTAINTY:.0%}"
    text = (
        f"With {2 * counts[-1]} images in place of {counts[-1]}, {name} would be {outlook.score:.3f} ({between}) "
        f"in place of {scores[-1]:.3f}"
    )
    if lowest > 0:
        return f"{text}: more images help."
    if highest < SMALL:
        return f"{text}: more images would bring little."
    return f"{text}: whether more images help cannot be told from these."
