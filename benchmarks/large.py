"""Measure what tiles cost: speed against one piece, and the memory that a large image takes.

    python -m benchmarks.large                # megapixels a second
    python -m benchmarks.large --side 20000   # and those of an image of that side, with the memory of predict.py

The network is that of main.py's defaults, for the speed untrained.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from model import unet
from segmentation import arguments
from segmentation.prediction import masks, tiling

REPOSITORY = Path(__file__).parent.parent
# A command, and what Linux says of its memory in the end; `ru_maxrss` would count that of the process that started it.
WEIGH = """
import importlib, pathlib, sys
status = importlib.import_module(sys.argv[1]).main(sys.argv[2:])
print(pathlib.Path("/proc/self/status").read_text())
sys.exit(status)
"""


def measure_speed(network, side, sizes, turns):
    """Megapixels a second of each size of tile, in turns, since a machine's speed drifts: dict of int to list."""
    image = np.random.default_rng(0).random((side, side, 1), "float32")
    speeds = {size: [] for size in sizes}
    for turn in range(turns + 1):
        for size in sizes:
            start = time.perf_counter()
            masks.predict(network, image, turns="none", tile=size)
            if turn:  # the first compiles
                speeds[size].append(side**2 / 1e6 / (time.perf_counter() - start))
    return speeds


def compare_speed(network, side, whole):
    """Megapixels a second of an image in tiles of the usual size, and of one of side `whole` in one piece: two floats.

    The one piece is timed again after every fourth tile, since a machine's speed drifts, and of both the median counts.
    Tiles are not put together.
    """
    image = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    seconds, pieces = [], []
    start = time.perf_counter()
    for number, _ in enumerate(tiling.predict_tiles(network, image, turns="none")):
        seconds.append(time.perf_counter() - start)
        if number % 4 == 0:
            pieces += measure_speed(network, whole, [whole], 1)[whole]
        start = time.perf_counter()
    return side**2 / 1e6 / (len(seconds) * np.median(seconds)), np.median(pieces)


def measure_memory(command, *arguments):
    """Seconds and gibibytes at most that a command such as "predict" takes, in a process of its own."""
    command = [str(part) for part in (sys.executable, "-c", WEIGH, command, *arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) / 2**20


def measure_image(side):
    """What `measure_memory` gives for a square image of noise, by the network of the repository."""
    with tempfile.TemporaryDirectory() as folder:
        image = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
        Image.fromarray(image).save(Path(folder) / "a.png", compress_level=1)
        return measure_memory("predict", Path(folder) / "a.png", "--no-flips", "--model", arguments.PRETRAINED)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--side", type=int, default=0, help="side of an image that is too large for one piece, if any")
    parser.add_argument("--whole", type=int, default=4096, help="side of an image that is predicted in one piece too")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1024, 2048, 2560], help="sizes of tiles")
    parser.add_argument("--turns", type=int, default=3, help="how often each is timed")
    arguments = parser.parse_args(argv)
    network = unet(width=12)
    speeds = measure_speed(network, arguments.whole, [arguments.whole, *arguments.tiles], arguments.turns)
    best = np.median(speeds[arguments.whole])
    for size, values in speeds.items():
        name = "in one piece" if size == arguments.whole else f"tiles of {size}"
        print(f"{name}: {np.median(values):.2f} megapixels a second, {np.median(values) / best:.2f} of one piece")
    if arguments.side:
        speed, piece = compare_speed(network, arguments.side, arguments.whole)
        size = f"{arguments.side}x{arguments.side} pixels"
        print(f"{size}: {speed:.2f} megapixels a second, {speed / piece:.2f} of one piece between them ({piece:.2f})")
        seconds, memory = measure_image(arguments.side)
        print(f"{size} by predict.py: {seconds:.0f} s, at most {memory:.2f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
