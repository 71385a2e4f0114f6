"""Write masks for images by a trained network.

    python predict.py data/membrane/test --model runs/membrane/model.keras --out masks

INPUT is images or TIFF stacks of any size, or folders of them. For each image <stem>_predict.png is written: 8-bit,
255 where the network sees the inside of a cell, 0 where it sees membrane. For a stack it is <stem>_predict.tif, with
the stack's own resolution.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

import cells
import data
import folders
import formats
import options
import record
import tiles

TILE = 1024


def load_network(file):
    """Load a network that main.py has saved, and what is to be done with its probabilities.

    Returns
    -------
    network : keras.Model
    settings : dict
        `border` and `sure`, as for `cells.to_mask`: no lines, if main.py has not chosen them. Of more than two classes
        `values`, the number to be written for each, and `palette`, as for `formats.write_mask`.

    Raises
    ------
    ValueError
        If the file is missing or is no Keras model from images to probabilities.
    """
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; train a network with main.py, or name one with --model.")
    try:
        network = keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises anything from OSError to KeyError here
        raise ValueError(f"{file}: cannot be loaded as a Keras model ({str(error).splitlines()[0]}).") from None
    shapes = network.input_shape, network.output_shape
    if any(len(shape) != 4 for shape in shapes) or shapes[0][-1] not in (1, 3):
        raise ValueError(f"{file}: expected a network from images to probabilities, found shapes {shapes}.")
    numbers = list(range(shapes[1][-1]))
    return network, {"border": 1.0, "sure": 1.0, "values": numbers, "palette": None, **record.read_settings(file)}


def predict(network, image, flips=True, tile=TILE):
    """Probability of the inside of a cell, or of each of several classes, at every pixel.

    Parameters
    ----------
    network : keras.Model
    image : float32 array (height, width, channels) in [0, 1]
    flips : bool
        Whether to average over the eight flips and rotations of the image.
    tile : int
        Images larger than that, in pixels, are predicted in tiles, with the same result.

    Returns
    -------
    float32 array (height, width) or (height, width, classes) in [0, 1]
    """
    probability = np.empty(image.shape[:2] + count_classes(network), "float32")
    for part, inner, outer in predict_tiles(network, image, flips, tile):
        probability[outer] = part[inner]
    return probability


def count_classes(network):
    """(classes,) for more than two of them; () for the one probability that tells two apart."""
    return () if network.output_shape[-1] == 1 else network.output_shape[-1:]


def predict_tiles(network, image, flips=True, tile=TILE):
    """Predict an image tile by tile, padded by reflection to a size that the network takes.

    Parameters
    ----------
    network, flips, tile
        As for `predict`.
    image : array (height, width) or (height, width, channels)
        Of any dtype that `data.scale` takes.

    Yields
    ------
    part : float32 array
        Probabilities of a tile and its halo.
    inner, outer : pairs of slices
        Where the tile is in `part`, and where in the image.
    """
    height, width = image.shape[:2]
    multiple = tiles.size_multiple(network)
    margins = (0, -height % multiple), (0, -width % multiple), *((0, 0) for _ in image.shape[2:])
    padded = np.pad(image, margins, mode="symmetric") if np.any(margins) else image
    side = tiles.round_up(tile, multiple)
    halo = tiles.round_up(tiles.receptive_radius(network), multiple) if max(height, width) > side else 0
    parts = list(tiles.cut(height, width, side, halo, multiple))
    for window, inner, outer in tqdm(parts, desc="Tiles", unit="tile", leave=False, disable=len(parts) == 1):
        part = data.scale(padded[window])
        if flips:
            turned = (predict_window(network, data.turn(part, k)) for k in range(8))
            part = np.mean([data.turn_back(inside, k) for k, inside in enumerate(turned)], axis=0)
        else:
            part = predict_window(network, part)
        yield part, inner, outer


def predict_window(network, image):
    """As `predict`, of an image of a size that the network takes."""
    part = network.predict_on_batch(image[np.newaxis])[0]
    return part if count_classes(network) else part[..., 0]


def to_mask(probability, settings, threshold=cells.THRESHOLD):
    """Turn probabilities, as from `predict`, into classes.

    Returns
    -------
    array (height, width)
        Of two classes bool, as from `cells.to_mask`; of more uint8, the number of the most probable.
    """
    if probability.ndim == 2:
        return cells.to_mask(probability, settings["border"], settings["sure"], threshold)
    return probability.argmax(-1).astype(np.uint8)


def settle(labels, maps, values, folder):
    """The settings of a network's masks, by labelled sections that it was not trained on.

    Parameters
    ----------
    labels, maps : lists of arrays
        As for `cells.choose`.
    values : list of int
        As from `data.read_labels`.
    folder : Path
        Where the labels are whose palette the masks take over.

    Returns
    -------
    dict
        As from `load_network`.
    """
    if len(values) == 2:
        corner = np.s_[:TILE, :TILE]  # of images larger than a tile it would take long
        return cells.choose([label[corner] for label in labels], [probability[corner] for probability in maps])
    written = list(range(len(values))) if formats.is_colour(values) else values
    first = next(iter(folders.find_images(folder).values()))
    return {"values": written, "palette": formats.read_palette(first, values)}


def write_masks(network, files, out, settings, threshold=cells.THRESHOLD, flips=True, tile=TILE, probability=False):
    """Predict images and write <stem>_predict.png for each, at its own size; for a stack, <stem>_predict.tif.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `folders.find_images`.
    out : Path
        An existing folder.
    settings : dict
        As from `load_network`.
    threshold : float
        As for `cells.to_mask`. Of an image in tiles, cells are told apart tile by tile, halo included.
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
    values = np.array(settings["values"] if count_classes(network) else [0, 255])
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        try:
            pages = formats.read_pages(file)
            check_kind(network, pages, file)
        except ValueError as error:
            problems.append(str(error))
            continue
        masks = np.empty(pages.shape[:3], np.uint8 if max(values) < 256 else np.uint16)
        maps = np.empty(pages.shape[:3] + count_classes(network), "float32") if probability else None
        for i, page in enumerate(pages):
            for part, inner, outer in predict_tiles(network, page, flips, tile):
                masks[i][outer] = values[to_mask(part, settings, threshold)[inner].astype(np.uint8)]
                if probability:
                    maps[i][outer] = part[inner]
        if len(pages) > 1:
            formats.write_stack(out / f"{stem}{folders.PREDICTED}.tif", masks, like=file)
        else:
            formats.write_mask(out / f"{stem}{folders.PREDICTED}.png", masks[0], settings["palette"])
        if probability:
            maps = np.moveaxis(maps, 3, 1) if maps.ndim == 4 else maps
            formats.write_probability(out / f"{stem}{folders.PROBABILITY}.tif", maps, like=file)
    return problems


def check_kind(network, pages, file):
    """Refuse images of another kind than the network was trained on, and values that cannot be scaled."""
    channels, expected = (pages.shape[3] if pages.ndim == 4 else 1), network.input_shape[-1]
    if channels != expected:
        raise ValueError(f"{file}: expected {expected} channels, as in training, found {channels}; convert the image.")
    data.check_range(pages, file)


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("input", nargs="+", metavar="INPUT", help="images, TIFF stacks, folders of them, or patterns such as 'a/*.tif'")
    add("--model", type=Path, default=Path("runs/membrane/model.keras"), help="the trained network")
    add("--out", type=Path, help="folder for the masks; that of the first image if none is named")
    add("--threshold", type=float, default=cells.THRESHOLD, help="white where the probability is above")
    how = "part cells where membrane is as probable, 1 never; the network's own choice if not given"
    add("--border", type=float, help=how)
    add("--tile", type=options.positive, default=TILE, help="pixels of the tiles that larger images are predicted in")
    how = "average over the eight flips and rotations; without, eight times faster and a little worse"
    add("--flips", action=argparse.BooleanOptionalAction, default=True, help=how)
    add("--probability", action="store_true", help="write <stem>_probability.tif too")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    try:
        files = folders.find_inputs(arguments.input)
        network, settings = load_network(arguments.model)
        if arguments.border is not None:
            settings["border"] = arguments.border
        out = arguments.out or next(iter(files.values())).parent
        out.mkdir(parents=True, exist_ok=True)
        how = settings, arguments.threshold, arguments.flips, arguments.tile, arguments.probability
        problems = write_masks(network, files, out, *how)
    except (ValueError, OSError) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("predict.py: stopped; the masks written so far are whole.", file=sys.stderr)
        return 130
    print(*problems, sep="\n", file=sys.stderr, end="\n" * bool(problems))
    print(f"{len(files) - len(problems)} masks written to {out}")
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
