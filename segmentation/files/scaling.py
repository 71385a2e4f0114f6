"""What a grey value is worth: how pixels become the network's numbers, decided once, from the training set.

By dtype where images fill their range; by the range of the whole training set where they fill a sliver of it; by each
image's own range where exposure differs from image to image, as StarDist and Cellpose do. Never by a tile or a crop.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

RULES = ("dtype", "dataset", "image")
IMAGE_PERCENTILES = 1, 99.8  # of one image, as StarDist takes them
DATASET_PERCENTILES = 0.1, 99.9  # of all training images together
SLIVER = 0.3  # of the range of a dtype; what fills less is scaled by the dataset
EXPOSURES = 2  # how many times the range of bright images is that of dim ones, to be scaled one by one
BEYOND = -1, 3  # what lies farther outside the range, such as a hot pixel, is cut off
MOST_PIXELS = 2**22  # that the range of an image is found from
SURVEYED = 2**18  # the same, where images are only compared
OUTLYING, FAR = 0.001, 3  # share of pixels and distance, in ranges of all others, of a value that means something else
SAMPLE, SAMPLES = 2**12, 2**22  # pixels that an image adds to the range of its dataset, and those of all of them


@dataclass(frozen=True)
class Scaling:
    """How grey values become the network's, about 0 to 1; the same in training and for every image ever after.

    `rule` is one of `RULES`. `low` and `high` are the range of the training images by channel, in grey values, or by
    dtype in shares of its range; networks of version 1.0 have none. `least` are the ranges by channel below which an
    image is not stretched any further, `dtype` that of the training images.
    """

    rule: str = "dtype"
    low: tuple = ()
    high: tuple = ()
    least: tuple = ()
    dtype: str = ""


BY_DTYPE = Scaling()


@dataclass(frozen=True)
class Greys:
    """The grey values of one image: `dtype`, `low` and `high` by channel, and a `sample` (pixels, channels)."""

    dtype: np.dtype
    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


def survey(pages):
    """The `Greys` of images, each (height, width) or (height, width, channels), or what is indexed like one."""
    every = [_thin(page, SURVEYED // len(pages) + 1) for page in pages]
    ranges = np.concatenate(every)
    low, high = np.percentile(ranges, IMAGE_PERCENTILES, axis=0)
    sample = np.concatenate([_thin(page, SAMPLE // len(pages) + 1) for page in pages])
    return Greys(pages[0].dtype, low, high, sample)


def _thin(image, most):
    """Pixels of an image on a regular grid, at most about so many: array (pixels, channels).

    Of a section of a volume, which is read where it is indexed, only these are kept.
    """
    step = math.isqrt(max(0, math.prod(image.shape[:2]) - 1) // most) + 1
    taken = image[::step, ::step]
    return taken.reshape(-1, taken.shape[2] if taken.ndim == 3 else 1)


def choose(greys, rule=None):
    """Choose how images like those of a training set are scaled.

    Parameters
    ----------
    greys : list of Greys
        Those of all training images, of as many channels each.
    rule : str or None
        One of `RULES`, to overrule the choice.

    Returns
    -------
    Scaling

    Raises
    ------
    ValueError
        If the rule is "dtype" and the images have no range by it.
    """
    greys = _thin_samples(greys)
    outlier = _find_outlier(greys)
    if outlier:
        greys = [replace(one, sample=one.sample[np.all(one.sample != outlier[0], axis=1)]) for one in greys]
        greys, rule = [one for one in greys if len(one.sample)], rule or "dataset"
    counts = {}
    for one in greys:
        counts[str(one.dtype)] = counts.get(str(one.dtype), 0) + 1
    dtype = max(counts, key=counts.get)
    known = all(_has_range(one) for one in greys)
    if rule == "dtype" and not known:
        raise ValueError(f"--scaling dtype: {dtype} has no range to divide by; leave it out.")
    sample = np.concatenate([one.sample for one in greys])
    low, high = np.percentile(sample, DATASET_PERCENTILES, axis=0)
    if known:
        shares = np.concatenate([one.sample / np.float32(find_top(one.dtype)) for one in greys])
        share_low, share_high = np.percentile(shares, DATASET_PERCENTILES, axis=0)
    if rule is None:
        ranges = [float(np.mean(one.high - one.low)) for one in greys]
        dim, bright = np.percentile(ranges, (10, 90))
        fills = known and all(_fill_range([one for one in greys if str(one.dtype) == name]) for name in counts)
        if bright > EXPOSURES * dim > 0 or (len(counts) > 1 and not fills):
            rule = "image"
        else:
            rule = "dtype" if fills else "dataset"
    if rule == "dtype":
        return Scaling(rule, _to_tuple(share_low), _to_tuple(share_high), dtype=dtype)
    least = ()
    if rule == "image":
        least = _to_tuple(np.min([one.high - one.low for one in greys], axis=0) / 2)
    return Scaling(rule, _to_tuple(low), _to_tuple(high), least, dtype)


def _find_outlier(greys):
    """A value far outside all others that many pixels have, such as one for missing data: (value, share), or None.

    Of 8 bits there is none, in which no value is far from others.
    """
    if any(one.dtype == np.uint8 for one in greys):
        return None
    sample = np.concatenate([one.sample for one in greys]).astype(np.float64)
    for values, value in ((sample.min(axis=1), sample.min()), (sample.max(axis=1), sample.max())):
        share, others = float(np.mean(values == value)), values[values != value]
        if not OUTLYING <= share < 1 or len(others) < SAMPLE // 16:
            continue
        low, high = np.percentile(others, DATASET_PERCENTILES)
        if high > low and min(abs(low - value), abs(high - value)) > FAR * (high - low):
            return value, share
    return None


def describe_outlier(greys):
    """A sentence on a value far outside all others, such as one for missing data; empty if there is none."""
    found = _find_outlier(_thin_samples(greys))
    if found is None:
        return ""
    value, share = found
    return (
        f"{share:.1%} of the pixels have the value {value:.6g}, far outside all others; it is left out of the range by "
        "which images are scaled. If it stands for missing data, give these pixels a value of their own in the labels "
        "and ignore it."
    )


def _thin_samples(greys):
    """`Greys` with fewer pixels each, if they are very many."""
    step = len(greys) * SAMPLE // SAMPLES + 1
    return [replace(one, sample=one.sample[::step]) for one in greys]


def _fill_range(greys):
    """Whether images of one dtype fill its range, or a good share of it, in any channel."""
    low, high = np.percentile(np.concatenate([one.sample for one in greys]), DATASET_PERCENTILES, axis=0)
    return bool(np.max(high - low) >= SLIVER * find_top(greys[0].dtype))


def _to_tuple(values):
    """Floats that JSON can hold, of an array."""
    return tuple(float(value) for value in values)


def _has_range(greys):
    """Whether grey values have a range by their dtype: 8 and 16 bits without sign, and floats between 0 and 1."""
    if greys.dtype.kind == "f":
        return bool(greys.sample.min() >= 0 and greys.sample.max() <= 1)
    return greys.dtype in (np.uint8, np.uint16)


def _find_dtype(dtype, scaling):
    """The dtype by whose range images are scaled: their own, or that of the training for what only holds its values."""
    return dtype if dtype in (np.uint8, np.uint16) or dtype.kind == "f" else np.dtype(scaling.dtype or dtype)


def find_top(dtype):
    """The largest value of a dtype; 1 for floats."""
    return np.iinfo(dtype).max if dtype.kind in "ui" else 1


def fit(scaling, image):
    """The `Scaling` of one whole image, so that its parts are all scaled alike.

    Parameters
    ----------
    scaling : Scaling
    image : array (height, width) or (height, width, channels)
        Or what is indexed like one, such as a section of a volume.
    """
    if scaling.rule != "image":
        return scaling
    pixels = _thin(image, MOST_PIXELS)
    low, high = np.percentile(pixels, IMAGE_PERCENTILES, axis=0)
    high = np.maximum(high, low + np.asarray(scaling.least))
    return replace(scaling, rule="dataset", low=_to_tuple(low), high=_to_tuple(high))


def scale(array, scaling=BY_DTYPE):
    """Scale an image, or a part of one.

    Parameters
    ----------
    array : array (height, width) or (height, width, channels)
        Such as `check` lets pass.
    scaling : Scaling
        As from `choose`, and of a part that of the whole image, as from `fit`. By dtype, which is the default, floats
        stay as they are: also those of an image that is scaled already.

    Returns
    -------
    float32 array (height, width, channels)
        About 0 to 1.
    """
    if scaling.rule == "dtype":
        if array.dtype.kind in "ui":
            array = array / np.float32(find_top(_find_dtype(array.dtype, scaling)))
        return array.astype("float32", copy=False).reshape(*array.shape[:2], -1)
    if scaling.rule == "image":
        scaling = fit(scaling, array)
    low, high = np.asarray(scaling.low), np.asarray(scaling.high)
    array = array.reshape(*array.shape[:2], -1).astype("float64")
    return np.clip((array - low) / np.maximum(high - low, 1e-12), *BEYOND).astype("float32")


def check(array, scaling, file):
    """Refuse pixels that cannot be scaled.

    Parameters
    ----------
    array : array
        Pixels.
    scaling : Scaling or None
        None if it is not chosen yet.
    file : path
        Where they come from, for the message.

    Raises
    ------
    ValueError
        If they are no finite numbers, or have no range by their dtype where that is the rule; says which file.
    """
    if array.dtype.kind not in "uif":
        raise ValueError(f"{file}: expected whole numbers or floats, found {array.dtype}; convert it.")
    if array.dtype.kind == "f" and not np.isfinite([array.min(), array.max()]).all():
        raise ValueError(f"{file}: holds values that are no finite numbers (NaN or infinite); replace them.")
    if scaling is None or scaling.rule != "dtype":
        return
    expected = "8 or 16 bits without sign, or floats between 0 and 1, as in training"
    if array.dtype in (np.uint8, np.uint16):
        return
    top = find_top(_find_dtype(array.dtype, scaling))
    if array.min() < 0 or array.max() > top or (array.dtype.kind in "ui" and not scaling.dtype):
        found = f"{array.dtype}, {array.min():.4g} to {array.max():.4g}"
        raise ValueError(f"{file}: expected {expected}, found {found}; convert all images alike.")


def find_difference(greys, scaling):
    """What keeps an image from being like those of the training set, as far as its grey values say.

    Parameters
    ----------
    greys : Greys
    scaling : Scaling
        That of the training set.

    Returns
    -------
    str
        Such as "uint8, 12 to 240 where training had uint16, 180 to 3900"; empty if there is nothing, or where it is
        made up for by scaling each image by itself.
    """
    if not scaling.low or scaling.rule == "image" or len(scaling.low) != len(greys.low):
        return ""
    per = find_top(_find_dtype(greys.dtype, scaling)) if scaling.rule == "dtype" else 1
    low, high = np.mean(greys.low / per), np.mean(greys.high / per)
    expected_low, expected_high = np.mean(scaling.low), np.mean(scaling.high)
    span = expected_high - expected_low
    darker, brighter = high < expected_low + span / 4, low > expected_high - span / 4
    wider = high > expected_high + span / 2 or low < expected_low - span / 2
    deeper = scaling.rule == "dataset" and str(greys.dtype) != scaling.dtype and greys.dtype.kind != "f"
    if not (darker or brighter or wider or deeper):
        return ""
    trained_per = find_top(np.dtype(scaling.dtype)) if scaling.rule == "dtype" else 1
    trained = f"{scaling.dtype}, {expected_low * trained_per:.6g} to {expected_high * trained_per:.6g}"
    return f"{greys.dtype}, {low * per:.6g} to {high * per:.6g} where training had {trained}"


def describe(scaling):
    """How images are scaled, in a sentence."""
    ranges = ", ".join(f"{low:.6g} to {high:.6g}" for low, high in zip(scaling.low, scaling.high, strict=True))
    if scaling.rule == "dtype":
        return f"Grey values are scaled by their type, {scaling.dtype}."
    if scaling.rule == "dataset":
        return f"Grey values are scaled by the range of the training images, {ranges} of {scaling.dtype}."
    return "Grey values are scaled by the range of each image, since exposure differs from image to image."
