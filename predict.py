"""Write masks for images by a trained network.

    python predict.py data/membrane/test --model runs/membrane/model.keras --out masks
    python predict.py volume.zarr --out masks.zarr

INPUT is images or TIFF stacks of any size, or folders of them. For each image <stem>_predict.png is written: 8-bit,
255 where the network sees the inside of a cell, 0 where it sees membrane. For a stack it is <stem>_predict.tif, with
the stack's own resolution. A volume, Zarr, HDF5 or a TIFF with --out NAME.zarr, may be larger than memory (chunks.py).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import cells
import data
import folders
import formats
import options
import record
import tiles


def predict(network, image, flips=True, tile=None):
    """Probability of the inside of a cell, or of each of several classes, at every pixel.

    Parameters
    ----------
    network : keras.Model
    image : float32 array (height, width, channels) in [0, 1]
    flips : bool
        Whether to average over the eight flips and rotations of the image.
    tile : int or None
        Images larger than that, in pixels, are predicted in tiles, with the same result; None for `tiles.fitting_tile`.

    Returns
    -------
    float32 array (height, width) or (height, width, classes) in [0, 1]
    """
    probability = np.empty(image.shape[:2] + tiles.count_classes(network), "float32")
    for part, inner, outer in tiles.predict_tiles(network, image, flips, tile):
        probability[outer] = part[inner]
    return probability


def to_mask(probability, settings, threshold=cells.THRESHOLD):
    """Turn probabilities, as from `predict`, into classes.

    Returns
    -------
    array (height, width)
        Of two classes bool, as from `cells.to_mask`; of more uint8, the number of the most probable.
    """
    if probability.ndim == 2:
        return cells.to_mask(probability, settings["border"], threshold)
    return probability.argmax(-1).astype(np.uint8)


def to_values(probability, network, settings, threshold=cells.THRESHOLD):
    """As `to_mask`, in the values that are written: 0 and 255, or those of the labels; of dtype `mask_dtype`."""
    values = np.array(settings["values"] if tiles.count_classes(network) else [0, 255], mask_dtype(network, settings))
    return values[to_mask(probability, settings, threshold).astype(np.uint8)]


def mask_dtype(network, settings):
    """uint8, or uint16 for labels with values from 256."""
    return np.dtype(np.uint16 if tiles.count_classes(network) and max(settings["values"]) > 255 else np.uint8)


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
        As from `record.load_network`.
    """
    if len(values) == 2:
        corner = np.s_[:1024, :1024]  # of larger images it would take long
        return {"border": cells.choose([label[corner] for label in labels], [inside[corner] for inside in maps])}
    written = list(range(len(values))) if formats.is_colour(values) else values
    first = next(iter(folders.find_images(folder).values()))
    return {"values": written, "palette": formats.read_palette(first, values)}


def write_masks(network, files, out, settings, threshold=cells.THRESHOLD, flips=True, tile=None, probability=False):
    """Predict images and write <stem>_predict.png for each, at its own size; for a stack, <stem>_predict.tif.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `folders.find_images`.
    out : Path
        An existing folder.
    settings : dict
        As from `record.load_network`.
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
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        try:
            pages = formats.read_pages(file)
            check_kind(network, pages, file)
        except ValueError as error:
            problems.append(str(error))
            continue
        masks = np.empty(pages.shape[:3], mask_dtype(network, settings))
        maps = np.empty(pages.shape[:3] + tiles.count_classes(network), "float32") if probability else None
        for i, page in enumerate(pages):
            for part, inner, outer in tiles.predict_tiles(network, page, flips, tile):
                masks[i][outer] = to_values(part, network, settings, threshold)[inner]
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
    record.add_model(parser)
    add("--out", type=Path, help="folder for the masks; that of the first image if none is named")
    add("--threshold", type=float, default=cells.THRESHOLD, help="white where the probability is above")
    how = "part cells where membrane is as probable, 1 never; the network's own choice if not given"
    add("--border", type=float, help=how)
    how = "pixels of the tiles of larger images; if not given, 2560 or less for networks wider than 12"
    add("--tile", type=options.positive, help=how)
    how = "average over the eight flips and rotations; without, eight times faster and a little worse"
    add("--flips", action=argparse.BooleanOptionalAction, default=True, help=how)
    how = "write <stem>_probability.tif too; of a volume the probabilities in place of the mask"
    add("--probability", action="store_true", help=how)
    add("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster that predicts a volume")
    return parser.parse_args(argv)


def predict_volume(arguments, out):
    """What `main` does for a volume: returns what was written, in words."""
    import chunks  # it needs packages that images do not

    if len(arguments.input) > 1:
        raise ValueError(f"{arguments.input[1]}: a volume is predicted alone.")
    job = chunks.Job(arguments.model, arguments.threshold, arguments.border, arguments.flips, arguments.probability)
    count = chunks.predict_volume(arguments.input[0], out, job, arguments.tile, arguments.scheduler)
    return f"{count} chunks written to {out} by {arguments.model}"


def predict_images(arguments):
    """What `main` does for images: returns what was written, in words, and what is wrong with the others."""
    files = folders.find_inputs(arguments.input)
    network, settings = record.load_network(arguments.model)
    if arguments.border is not None:
        settings["border"] = arguments.border
    out = arguments.out or next(iter(files.values())).parent
    out.mkdir(parents=True, exist_ok=True)
    how = settings, arguments.threshold, arguments.flips, arguments.tile, arguments.probability
    problems = write_masks(network, files, out, *how)
    return f"{len(files) - len(problems)} masks written to {out} by {arguments.model}", problems


def main(argv=None):
    arguments = parse(argv)
    first, out, problems = Path(arguments.input[0]), arguments.out, []
    try:
        if folders.is_volume(first) or (out and folders.is_volume(out)):
            written = predict_volume(arguments, out or first.with_name(f"{first.stem}{folders.PREDICTED}.zarr"))
        else:
            written, problems = predict_images(arguments)
    except ModuleNotFoundError as error:
        print(f"predict.py: volumes need {error.name}: pip install -r requirements-volumes.txt", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("predict.py: stopped; what was written so far is whole.", file=sys.stderr)
        return 130
    print(*problems, sep="\n", file=sys.stderr, end="\n" * bool(problems))
    print(written)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
