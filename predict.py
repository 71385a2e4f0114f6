"""Write masks for images by a trained network.

    python predict.py data/membrane/test --model runs/membrane/model.keras --out masks

INPUT is an image or a folder of images, of any size. For each, <stem>_predict.png is written: 8-bit, 255 where the
network sees the inside of a cell, 0 where it sees membrane.
"""

import argparse
import math
import sys
from pathlib import Path

import keras
import numpy as np
import tifffile
from tqdm import tqdm

import cells
import data
import formats
import record


def load_network(file):
    """Load a network that main.py has saved, and what is to be done with its probabilities.

    Returns
    -------
    network : keras.Model
    settings : dict
        `border`, as for `cells.to_mask`: 1, no lines, if main.py has not chosen one.

    Raises
    ------
    ValueError
        If the file is missing or is no Keras model from images to one probability.
    """
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; train a network with main.py, or name one with --model.")
    try:
        network = keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises anything from OSError to KeyError here
        raise ValueError(f"{file}: cannot be loaded as a Keras model ({str(error).splitlines()[0]}).") from None
    shapes = network.input_shape, network.output_shape
    if any(len(shape) != 4 or shape[-1] != 1 for shape in shapes):
        raise ValueError(f"{file}: expected a network from grey images to one probability, found shapes {shapes}.")
    return network, {"border": 1.0, **record.read_settings(file)}


def size_multiple(network):
    """What height and width have to be divisible by: the product of the strides of all layers that shrink an image.

    Returns
    -------
    int
        2**depth for `unet`; with strides on parallel branches more than need be, which costs only padding.
    """
    shrinking = [
        layer for layer in network.layers if hasattr(layer, "strides") and "Transpose" not in type(layer).__name__
    ]
    return math.prod(max(layer.strides) for layer in shrinking)


def predict(network, image, flips=False):
    """Probability of the inside of a cell at every pixel.

    Parameters
    ----------
    network : keras.Model
    image : float32 array (height, width, channels) in [0, 1]
    flips : bool
        Whether to average over the eight flips and rotations of the image.

    Returns
    -------
    float32 array (height, width) in [0, 1]
    """
    if not flips:
        return predict_once(network, image)
    turned = (predict_once(network, data.turn(image, k)) for k in range(8))
    return np.mean([data.turn_back(probability, k) for k, probability in enumerate(turned)], axis=0)


def predict_once(network, image):
    """As `predict`, of the image as it is: padded by reflection to a size that the network takes, and cropped."""
    height, width = image.shape[:2]
    multiple = size_multiple(network)
    padded = np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="symmetric")
    return network.predict_on_batch(padded[np.newaxis])[0, :height, :width, 0]


def write_masks(network, files, out, border, threshold=cells.THRESHOLD, flips=False, probability=False):
    """Predict images and write <stem>_predict.png for each, at its own size.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `formats.find_images`.
    out : Path
        An existing folder.
    border, threshold : float
        As for `cells.to_mask`.
    flips : bool
        As for `predict`.
    probability : bool
        Whether to write <stem>_probability.tif too: float32, of the same size.

    Raises
    ------
    ValueError
        At the first image that cannot be read.
    """
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        inside = predict(network, data.read_image(file), flips)
        formats.write_mask(out / f"{stem}{formats.PREDICTED}.png", cells.to_mask(inside, border, threshold))
        if probability:
            with formats.whole_file(out / f"{stem}_probability.tif") as temporary:
                tifffile.imwrite(temporary, inside, compression="zlib")


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="an image or a folder of images")
    add("--model", type=Path, default=Path("runs/membrane/model.keras"), help="the trained network")
    add("--out", type=Path, help="folder for the masks; that of the images if none is named")
    add("--threshold", type=float, default=cells.THRESHOLD, help="white where the probability is above")
    add(
        "--border",
        type=float,
        help="part cells where membrane is as probable, 1 never; the network's own choice if not given",
    )
    add("--flips", action="store_true", help="average over the eight flips and rotations: better, eight times slower")
    add("--probability", action="store_true", help="write <stem>_probability.tif too")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    try:
        source = arguments.input
        files = {source.stem: source} if source.is_file() else formats.find_images(source)
        if not files:
            raise ValueError(f"{source}: no images in this folder ({', '.join(formats.SUFFIXES)}).")
        for file in files.values():
            formats.read_array(file)
        network, settings = load_network(arguments.model)
        border = settings["border"] if arguments.border is None else arguments.border
        out = arguments.out or (source.parent if source.is_file() else source)
        out.mkdir(parents=True, exist_ok=True)
        write_masks(network, files, out, border, arguments.threshold, arguments.flips, arguments.probability)
    except (ValueError, OSError) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("predict.py: stopped; the masks written so far are whole.", file=sys.stderr)
        return 130
    print(f"{len(files)} masks written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
