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

import data

THRESHOLD = 0.5


def load_network(file):
    """Load a network that main.py has saved.

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
    return network


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


def predict(network, image):
    """Probability of the inside of a cell at every pixel.

    The image is padded by reflection to a size that the network takes, and the result is cropped.

    Parameters
    ----------
    network : keras.Model
    image : float32 array (height, width, channels) in [0, 1]

    Returns
    -------
    float32 array (height, width) in [0, 1]
    """
    height, width = image.shape[:2]
    multiple = size_multiple(network)
    padded = np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="symmetric")
    return network.predict_on_batch(padded[np.newaxis])[0, :height, :width, 0]


def write_masks(network, files, out, threshold=THRESHOLD, probability=False):
    """Predict images and write <stem>_predict.png for each, at its own size.

    Parameters
    ----------
    network : keras.Model
    files : dict of str to Path
        Stems and images, as from `data.find_images`.
    out : Path
        An existing folder.
    threshold : float
        The probability above which a pixel is white.
    probability : bool
        Whether to write <stem>_probability.tif too: float32, of the same size.

    Raises
    ------
    ValueError
        At the first image that cannot be read.
    """
    for stem, file in tqdm(files.items(), desc="Predicting", unit="image"):
        inside = predict(network, data.read_image(file))
        data.write_mask(out / f"{stem}{data.PREDICTED}.png", inside > threshold)
        if probability:
            with data.whole_file(out / f"{stem}_probability.tif") as temporary:
                tifffile.imwrite(temporary, inside, compression="zlib")


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="INPUT", help="an image or a folder of images")
    parser.add_argument("--model", type=Path, default=Path("runs/membrane/model.keras"), help="the trained network")
    parser.add_argument("--out", type=Path, help="folder for the masks; that of the images if none is named")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="white where the probability is above")
    parser.add_argument("--probability", action="store_true", help="write <stem>_probability.tif too")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    try:
        source = arguments.input
        files = {source.stem: source} if source.is_file() else data.find_images(source)
        if not files:
            raise ValueError(f"{source}: no images in this folder ({', '.join(data.SUFFIXES)}).")
        for file in files.values():
            data.read_array(file)
        network = load_network(arguments.model)
        out = arguments.out or (source.parent if source.is_file() else source)
        out.mkdir(parents=True, exist_ok=True)
        write_masks(network, files, out, arguments.threshold, arguments.probability)
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
