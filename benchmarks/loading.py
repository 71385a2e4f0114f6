"""Measure which share of a training step waits for data.

    python benchmarks/loading.py

Steps on crops that are cut and augmented as training goes are timed against steps on one batch made beforehand, in
turns, since a machine's speed drifts. What the former take longer is waiting, or work that loading takes from the
network.
"""

import argparse
import sys
import time
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import batches
import data
from model import unet


class OneBatch(keras.utils.PyDataset):
    """The first batch of some crops, again and again."""

    def __init__(self, crops):
        super().__init__(workers=crops.workers)
        self.batch, self.steps = crops[0], len(crops)

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        return self.batch


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data/membrane"), help="dataset")
    parser.add_argument("--width", type=int, default=12, help="channels at full resolution")
    parser.add_argument("--steps", type=int, default=20, help="steps a turn")
    parser.add_argument("--turns", type=int, default=8, help="how often each is timed")
    arguments = parser.parse_args(argv)
    _, images, labels, _ = data.read_pairs(arguments.data / "train")
    crops = batches.Crops(images, labels, crop=256, batch_size=4, steps=arguments.steps)
    start = time.perf_counter()
    for i in range(arguments.steps):
        crops[i]
    print(f"a batch takes one core {(time.perf_counter() - start) / arguments.steps:.4f} s to make")
    network = unet(width=arguments.width)
    network.compile("adam", "binary_crossentropy")
    sources = {"augmented crops": crops, "one batch": OneBatch(crops)}
    seconds = {name: [] for name in sources}
    for turn in range(arguments.turns + 1):
        for name, source in sources.items():
            start = time.perf_counter()
            network.fit(source, verbose=0, shuffle=False)
            if turn:  # the first compiles
                seconds[name].append((time.perf_counter() - start) / arguments.steps)
    for name, values in seconds.items():
        print(f"{name}: {np.median(values):.4f} s a step ({min(values):.4f} to {max(values):.4f})")
    loading, bare = (np.median(values) for values in seconds.values())
    print(f"share of a step that waits for data: {1 - bare / loading:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
