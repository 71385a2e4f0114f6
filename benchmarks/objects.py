"""Time what follows a prediction with --objects: numbering, measuring and outlining a thousand objects.

python -m benchmarks.objects
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from skimage import draw

from segmentation.prediction import networks, objects

SPACE, RADII = 64, (10, 22)  # pixels


def draw_objects(side, seed=0):
    """Ellipses that do not touch, bool array (side, side)."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((side, side), bool)
    for y in range(SPACE // 2, side, SPACE):
        for x in range(SPACE // 2, side, SPACE):
            place = np.array([y, x]) + rng.integers(-8, 9, 2)
            mask[draw.ellipse(*place, *rng.uniform(*RADII, 2), mask.shape, rng.uniform(0, np.pi))] = True
    return mask


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--side", type=int, default=2048, help="of the image in pixels; 2048 if not given")
    parser.add_argument("--times", type=int, default=5, help="how often; 5 if not given")
    options = parser.parse_args(argv)
    mask = draw_objects(options.side)[np.newaxis]
    pages = np.random.default_rng(0).integers(0, 256, mask.shape, np.uint8)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.tif"
        tifffile.imwrite(file, pages)
        for _ in range(options.times):
            started = time.perf_counter()
            numbers = objects.write_objects(file, Path(folder) / "a", mask, pages, networks.Settings())
            seconds.append(time.perf_counter() - started)
    print(f"{numbers.max()} objects: {np.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
