"""Measure the memory and the time that predict.py takes for many small images.

    python -m benchmarks.many

Ten times as many images should take as much memory, and ten times the time beyond that of starting.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import large


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000], help="how many images")
    parser.add_argument("--side", type=int, default=48, help="of the images, in pixels")
    arguments = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            images, masks = Path(folder) / "images", Path(folder) / "masks"
            images.mkdir()
            for i in range(count):
                image = rng.integers(0, 255, (arguments.side, arguments.side), np.uint8)
                Image.fromarray(image).save(images / f"{i}.png")
            seconds, memory = large.measure_memory(images, "--out", masks, "--border", "1")
            written = len(list(masks.iterdir()))
        print(f"{written} images of {count}: {seconds:.1f} s, at most {memory:.3f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
