"""From images to masks by a trained network: probabilities, masks, and the files they are written to."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from segmentation.files import classes, folders, images, scaling, writing
from segmentation.prediction import networks, objects, tiling, watershed
from segmentation.scores import calibration


def predict(network, image, turns="all", tile=None, scaled=scaling.BY_DTYPE):
    """Probability of the higher of two classes, or of each of several, at every pixel.

    Parameters
    ----------
    network : keras.Model
    image : array (height, width) or (height, width, channels)
        Floats that are scaled already, or pixels.
    turns : str
        One of `geometry.TURNS`: the flips and rotations of the image to average over, those of the training.
    tile : int or None
        Images larger than that, in pixels, are predicted in tiles, with the same result; None for
        `tiling.fitting_tile`.
    scaled : scaling.Scaling
        How pixels are scaled.

    Returns
    -------
    float32 array (height, width) or (height, width, classes) in [0, 1]
    """
    probability = np.empty(tiling.map_shape(network, image.shape[:2]), "float32")
    for part, inner, outer in tiling.predict_tiles(network, image, turns, tile, scaled):
        probability[outer] = part[inner]
    return probability


def disagree(network, image, turns="all", tile=None, scaled=scaling.BY_DTYPE):
    """How far the networks that an average is of disagree at every pixel.

    Parameters as for `predict`.

    Returns
    -------
    float32 array (height, width) in [0, 0.5]
        The standard deviation of their probabilities; of several classes that of the class with the largest.
    """
    mean, squares = 0, 0
    for count, member in enumerate(networks.find_members(network), start=1):
        # Welford's sums, so that there are three maps at once whatever the number of networks.
        probability = predict(member, image, turns, tile, scaled)
        away = probability - mean
        mean = mean + away / count
        squares = squares + away * (probability - mean)
    spread = np.sqrt(squares / count)
    return spread if spread.ndim == 2 else spread.max(-1)


def to_mask(probability, settings, threshold=watershed.THRESHOLD):
    """Turn probabilities, as from `predict`, into classes.

    Parameters
    ----------
    probability : float array (height, width) or (height, width, classes) in [0, 1]
    settings : networks.Settings
    threshold : float
        Of calibrated probabilities, as they are written; else as for `watershed.mask_cells`. Of two classes alone.

    Returns
    -------
    array (height, width)
        Of two classes bool, as from `watershed.mask_cells`; of more uint8, the number of the most probable.
    """
    if probability.ndim == 2:
        return watershed.mask_cells(
            probability, settings.border, calibration.uncalibrate(threshold, settings.temperature)
        )
    return probability.argmax(-1).astype(np.uint8)


def choose_border(label_arrays, maps, known):
    """Choose whether cells are parted by lines, by labelled sections that the network was not trained on.

    Parameters
    ----------
    label_arrays : list of arrays (height, width)
        As from `classes.classify`.
    maps : list of float arrays (height, width) in [0, 1]
        Probabilities of the higher of two classes; of more they are not looked at.
    known : classes.Classes

    Returns
    -------
    float
        As for `watershed.mask_cells`: no lines where there are more classes, or objects are few.
    """
    if len(known.values) > 2 or not known.parted:
        return watershed.NO_LINES
    corner = np.s_[:1024, :1024]  # of larger images it would take long
    return watershed.choose_border([label[corner] == 1 for label in label_arrays], [inside[corner] for inside in maps])


@dataclass(frozen=True)
class Request:
    """What is written of an image.

    `threshold`: as for `watershed.mask_cells`; of an image in tiles, cells are told apart tile by tile, halo included.
    `border`: as for that, too; None for the network's own choice. `flips`: whether to average over the flips and
    rotations that the network was trained on. `tile`: as for `predict`. `probability`: whether to write
    <stem>_probability.tif too, float32, of the same size; `uncertainty`: <stem>_uncertainty.tif, likewise, of what
    `disagree` finds. `objects`: whether to write those, too, as `objects.write_objects` does. `smallest`: pixels that
    an object has at least; None for the network's own choice.
    """

    threshold: float = watershed.THRESHOLD
    border: float | None = None
    flips: bool = True
    tile: int | None = None
    probability: bool = False
    uncertainty: bool = False
    objects: bool = False
    smallest: int | None = None

    def apply(self, settings):
        """The settings of a network, but for what is requested otherwise."""
        asked = {"border": self.border, "smallest": self.smallest}
        return replace(settings, **{name: value for name, value in asked.items() if value is not None})


class Report(NamedTuple):
    """What came of an image: why it was left out, what its reader noted, and how its grey values differ."""

    problem: str = ""
    notes: tuple = ()
    difference: str = ""


def write_masks(network, files, out, settings, request=Request()):
    """Predict images and write <stem>_predict.png for each, at its own size; for a stack, <stem>_predict.tif.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `folders.find_images`.
    out : Path
        An existing folder.
    settings : networks.Settings
    request : Request

    Returns
    -------
    problems, warnings : lists of str
        What is wrong with the images that had to be left out, and what may be wrong with others.
    """
    reports = {}
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        reports[file] = write_mask(network, stem, file, out, settings, request)
    return describe_reports(reports)


def write_mask(network, stem, file, out, settings, request):
    """Predict one image, or stack, and write what is requested of it, as `write_masks` does; returns a `Report`."""
    settings = request.apply(settings)
    try:
        pages, notes = read_pages(network, file)
        check_pages(network, settings, pages, file)
    except ValueError as error:
        return Report(problem=str(error))
    shape = tiling.map_shape(network, pages.shape[1:3])
    found = np.empty(pages.shape[:3], np.uint8)
    maps = np.empty((len(pages), *shape), "float32") if request.probability else None
    turns = settings.choose_turns(request.flips)
    for i, page in enumerate(pages):
        for part, inner, outer in tiling.predict_tiles(network, page, turns, request.tile, settings.scaling):
            found[i][outer] = to_mask(part, settings, request.threshold)[inner]
            if request.probability:
                maps[i][outer] = calibration.calibrate(part[inner], settings.temperature)
    masks = classes.to_values(found, settings.values)
    (out / stem).parent.mkdir(parents=True, exist_ok=True)
    single, stack = (out / f"{stem}{folders.PREDICTED}{suffix}" for suffix in (".png", ".tif"))
    if len(pages) > 1:
        writing.write_stack(stack, masks, like=file, palette=settings.palette)
        single.unlink(missing_ok=True)  # of an earlier image of that name
    else:
        writing.write_mask(single, masks[0], settings.palette)
        stack.unlink(missing_ok=True)
    if request.probability:
        writing.write_probability(out / f"{stem}{folders.PROBABILITY}.tif", maps, like=file)
    if request.uncertainty:
        spreads = [disagree(network, page, turns, request.tile, settings.scaling) for page in pages]
        writing.write_probability(out / f"{stem}{folders.UNCERTAINTY}.tif", np.array(spreads), like=file)
    if request.objects:
        objects.write_objects(file, out / stem, found, pages, settings)
        if request.smallest is None and (left_out := objects.describe_smallest(settings)):
            notes = (*notes, left_out)
    return Report(notes=notes, difference=scaling.find_difference(scaling.survey(pages), settings.scaling))


def describe_reports(reports):
    """Problems and warnings, as of `write_masks`, of a dict of Path to `Report`; what is of many files is said once."""
    noted = {}
    for file, report in reports.items():
        for note in report.notes:
            noted.setdefault(note, []).append(file)
    notes = [f"{found[0]}: {note}{f', as in {len(found)} files' * (len(found) > 1)}." for note, found in noted.items()]
    different = {file: report.difference for file, report in reports.items() if report.difference}
    problems = [report.problem for report in reports.values() if report.problem]
    return problems, notes + _describe_differences(different)


def _describe_differences(different):
    """A sentence on images, a dict of file to text, whose grey values are not those of the training; in a list."""
    if not different:
        return []
    file, text = next(iter(different.items()))
    more = f", as {len(different)} images have" if len(different) > 1 else ""
    return [f"Warning: {file} has other grey values than the training images{more}: {text}; its mask may be wrong."]


def read_pages(network, file):
    """The pages of a file, in grey for a network of grey images if they show no colour, and notes on them.

    Returns
    -------
    pages : array (pages, height, width) or (pages, height, width, channels)
    notes : tuple of str
        As those of `rasters.Raster`.

    Raises
    ------
    ValueError
        As `images.read_raster`.
    """
    raster = images.read_raster(file)
    pages = images.to_pages(raster)
    return images.to_grey(pages) if network.input_shape[-1] == 1 else pages, images.list_notes(raster)


def check_pages(network, settings, pages, file):
    """Refuse images of another kind than the network was trained on, and values that cannot be scaled.

    Parameters
    ----------
    network : keras.Model
    settings : networks.Settings
    pages : array (pages, height, width) or (pages, height, width, channels)
    file : path
        Where they come from, for the message.

    Raises
    ------
    ValueError
        That says what was expected and what was found.
    """
    channels, expected = (pages.shape[3] if pages.ndim == 4 else 1), network.input_shape[-1]
    if channels != expected:
        fix = "convert the image"
        if channels > 1 and expected == 1:
            fix = "convert the image, or save its channels as the pages of a stack if they are sections"
        raise ValueError(f"{file}: expected {expected} channels, as in training, found {channels}; {fix}.")
    scaling.check(pages, settings.scaling, file)
