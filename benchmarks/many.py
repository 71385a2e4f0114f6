"""Measure the memory and the time that many images take.

    python -m benchmarks.many               # predict.py, for many small ones
    python -m benchmarks.many --train 5000  # data.py and main.py, for a training set of 1280x1918 pixels in colour

Ten times as many small images should take as much memory, and ten times the time beyond that of starting. A training
set of 5,000 images, 110 GiB as floats, should be checked and trained on within 4 GiB; which share of a step then waits
for data is measured by `benchmarks.loading --data FOLDER`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks import large

SIZE = 1280, 1918  # of Carvana's images


def draw_scene(rng, size):
    """A picture of coarse and fine texture with a bright shape in it, uint8 in colour, and where that is."""
    rows, columns = np.indices(size)
    centre, radii = rng.uniform(0.35, 0.65, 2) * size, rng.uniform(0.15, 0.3, 2) * size
    shape = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 < 1
    coarse = ndimage.zoom(rng.random((12, 16, 3)), (size[0] / 12, size[1] / 16, 1), order=1)[: size[0], : size[1]]
    picture = 60 + 70 * coarse + 60 * shape[..., np.newaxis] + rng.normal(0, 6, (*size, 1))
    return np.uint8(np.clip(picture, 0, 255)), shape


def write_training_set(folder, count, size=SIZE):
    """A training set of so many JPEGs and masks: a few scenes, each moved by other amounts."""
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng, size) for _ in range(min(count, 10))]
    for part in ("image", "label"):
        (folder / "train" / part).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture, shape = (np.roll(array, (7 * i, 11 * i), axis=(0, 1)) for array in scenes[i % len(scenes)])
        Image.fromarray(picture).save(folder / "train" / "image" / f"{i:05}.jpg", quality=85)
        Image.fromarray(shape).save(folder / "train" / "label" / f"{i:05}.png")


def measure_training(count, folder, size=SIZE, options=()):
    """Print the seconds and the memory of checking, and of training on, a set of so many images in a folder."""
    if not (folder / "train" / "label" / f"{count - 1:05}.png").is_file():
        write_training_set(folder, count, size)
    steps = ["--epochs", "1", "--steps-per-epoch", "40", "--run", folder / "run", *options]
    for command, arguments in (("data", [folder]), ("main", ["--data", folder, *steps])):
        seconds, memory = large.measure_memory(command, *arguments)
        print(f"{command}.py, {count} images: {seconds:.0f} s, at most {memory:.2f} GiB", flush=True)


def measure_predicting(count, side):
    """Print the seconds and the memory of predicting so many small images."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        images, masks = Path(folder) / "images", Path(folder) / "masks"
        images.mkdir()
        for i in range(count):
            image = rng.integers(0, 255, (side, side), np.uint8)
            Image.fromarray(image).save(images / f"{i}.png")
        seconds, memory = large.measure_memory("predict", images, "--no-flips", "--out", masks, "--border", "1")
        written = len(list(masks.iterdir()))
    print(f"{written} images of {count}: {seconds:.1f} s, at most {memory:.3f} GiB")


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000], help="how many small images")
    parser.add_argument("--side", type=int, default=48, help="of the small images, in pixels")
    parser.add_argument("--train", type=int, default=0, help="how many images of a training set, in place of those")
    parser.add_argument("--folder", type=Path, help="where the training set is made, or lies; a temporary one")
    arguments = parser.parse_args(argv)
    if not arguments.train:
        for count in arguments.counts:
            measure_predicting(count, arguments.side)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        measure_training(arguments.train, arguments.folder or Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
