"""From images to masks by a trained network: probabilities, masks, and the files they are written to."""

from dataclasses import replace

import numpy as np
from tqdm import tqdm

from segmentation.files import folders, images, labels, writing
from segmentation.prediction import networks, tiling, watershed


def predict(network, image, flips=True, tile=None):
    """Probability of the inside of a cell, or of each of several classes, at every pixel.

    Parameters
    ----------
    network : keras.Model
    image : float32 array (height, width, channels) in [0, 1]
    flips : bool
        Whether to average over the eight flips and rotations of the image.
    tile : int or None
        Images larger than that, in pixels, are predicted in tiles, with the same result; None for
        `tiling.fitting_tile`.

    Returns
    -------
    float32 array (height, width) or (height, width, classes) in [0, 1]
    """
    probability = np.empty(tiling.map_shape(network, image.shape[:2]), "float32")
    for part, inner, outer in tiling.predict_tiles(network, image, flips, tile):
        probability[outer] = part[inner]
    return probability


def to_mask(probability, settings, threshold=watershed.THRESHOLD):
    """Turn probabilities, as from `predict`, into classes.

    Parameters
    ----------
    probability : float array (height, width) or (height, width, classes) in [0, 1]
    settings : networks.MaskSettings
    threshold : float
        As for `watershed.mask_cells`; of two classes alone.

    Returns
    -------
    array (height, width)
        Of two classes bool, as from `watershed.mask_cells`; of more uint8, the number of the most probable.
    """
    if probability.ndim == 2:
        return watershed.mask_cells(probability, settings.border, threshold)
    return probability.argmax(-1).astype(np.uint8)


def choose_settings(label_arrays, maps, values, palette=None):
    """Choose how masks are made of a network's maps, by labelled sections that it was not trained on.

    Parameters
    ----------
    label_arrays : list of arrays (height, width)
        As from `labels.classify`.
    maps : list of float arrays (height, width) in [0, 1]
        Probabilities of the inside; of more than two classes they are not looked at.
    values : list of int
        The labels' values.
    palette : list of int or None
        The colours that masks take over, as from `labels.read_palette`.

    Returns
    -------
    networks.MaskSettings
    """
    settings = networks.MaskSettings(values=labels.values_to_write(values), palette=tuple(palette) if palette else None)
    if len(values) > 2:
        return settings
    corner = np.s_[:1024, :1024]  # of larger images it would take long
    border = watershed.choose_border([label[corner] for label in label_arrays], [inside[corner] for inside in maps])
    return replace(settings, border=border)


def write_masks(
    network,
    files,
    out,
    settings,
    *,
    threshold=watershed.THRESHOLD,
    flips=True,
    tile=None,
    probability=False,
):
    """Predict images and write <stem>_predict.png for each, at its own size; for a stack, <stem>_predict.tif.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `folders.find_images`.
    out : Path
        An existing folder.
    settings : networks.MaskSettings
    threshold : float
        As for `watershed.mask_cells`. Of an image in tiles, cells are told apart tile by tile, halo included.
    flips, tile
        As for `predict`.
    probability : bool
        Whether to write <stem>_probability.tif too: float32, of the same size.

    Returns
    -------
    list of str
        What is wrong with the images that had to be left out.
    """
    problems = []
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        try:
            pages = images.read_pages(file)
            check_pages(network, pages, file)
        except ValueError as error:
            problems.append(str(error))
            continue
        shape = tiling.map_shape(network, pages.shape[1:3])
        masks = np.empty(pages.shape[:3], labels.mask_dtype(settings.values))
        maps = np.empty((len(pages), *shape), "float32") if probability else None
        for i, page in enumerate(pages):
            for part, inner, outer in tiling.predict_tiles(network, page, flips, tile):
                masks[i][outer] = labels.to_values(to_mask(part, settings, threshold), settings.values)[inner]
                if probability:
                    maps[i][outer] = part[inner]
        if len(pages) > 1:
            writing.write_stack(out / f"{stem}{folders.PREDICTED}.tif", masks, like=file)
        else:
            writing.write_mask(out / f"{stem}{folders.PREDICTED}.png", masks[0], settings.palette)
        if probability:
            writing.write_probability(out / f"{stem}{folders.PROBABILITY}.tif", maps, like=file)
    return problems


def check_pages(network, pages, file):
    """Refuse images of another kind than the network was trained on, and values that cannot be scaled.

    Parameters
    ----------
    network : keras.Model
    pages : array (pages, height, width) or (pages, height, width, 3)
    file : path
        Where they come from, for the message.

    Raises
    ------
    ValueError
        That says what was expected and what was found.
    """
    channels, expected = (pages.shape[3] if pages.ndim == 4 else 1), network.input_shape[-1]
    if channels != expected:
        raise ValueError(f"{file}: expected {expected} channels, as in training, found {channels}; convert the image.")
    images.check_range(pages, file)
