"""Measure which share of a training step waits for data.

    python -m benchmarks.loading

First come the crops that threads make a second, without a network. Then three kinds of steps are timed in turns,
since a machine's speed drifts: on crops that are cut and augmented as training goes; on one batch made beforehand,
while such crops are made beside it, for nothing; and on that batch alone. The first two differ by what the network
waits for its data, the last two by what loading takes from its processor cores.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

import data
from model import unet
from segmentation.training import batches


class OneBatch(keras.utils.PyDataset):
    """The first batch of some crops, again and again; others are made, for nothing, by `threads`, if there are any."""

    def __init__(self, crops, workers, threads=None):
        super().__init__(workers=workers)
        self.crops, self.threads, self.batch = crops, threads, crops[0]

    def __len__(self):
        return len(self.crops)

    def __getitem__(self, index):
        if self.threads:
            self.threads.submit(self.crops.__getitem__, index)
        return self.batch


def count_crops(crops, workers, batches):
    """How many crops so many threads make a second, by so many batches."""
    with ThreadPoolExecutor(workers) as threads:
        started = time.perf_counter()
        made = sum(len(images) for images, *_ in threads.map(crops.__getitem__, range(batches)))
    return made / (time.perf_counter() - started)


def time_sources(network, crops, workers, turns):
    """Seconds a step in each turn, by source: dict of lists."""
    with ThreadPoolExecutor(workers) as threads:
        sources = {
            "augmented crops": batches.Batches(crops, workers),
            "one batch, loading beside it": OneBatch(crops, workers, threads),
            "one batch": OneBatch(crops, workers),
        }
        seconds = {name: [] for name in sources}
        for turn in range(turns + 1):
            for name, source in sources.items():
                started = time.perf_counter()
                network.fit(source, verbose=0, shuffle=False)
                if turn:  # the first compiles
                    seconds[name].append((time.perf_counter() - started) / len(crops))
    return seconds


def find_shares(seconds):
    """The shares of a step that waits for data, and that loading takes from the network's processor cores."""
    loading, beside, bare = map(np.median, seconds.values())
    return (loading - beside) / loading, (beside - bare) / loading


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data/membrane"), help="dataset")
    parser.add_argument("--width", type=int, default=12, help="channels at full resolution")
    parser.add_argument("--crop", type=int, default=256, help="side of a crop in pixels")
    parser.add_argument("--steps", type=int, default=20, help="steps a turn")
    parser.add_argument("--turns", type=int, default=8, help="how often each is timed")
    arguments = parser.parse_args(argv)
    pairs = data.read_pairs(arguments.data / "train")
    crops = data.Crops(pairs.images, pairs.labels, crop=arguments.crop, batch_size=4, steps=arguments.steps)
    for workers in (1, batches.WORKERS):
        print(f"{workers} threads make {count_crops(crops, workers, 5 * arguments.steps):.0f} crops a second")
    network = unet((None, None, pairs.images[0].shape[-1]), width=arguments.width)
    network.compile("adam", "binary_crossentropy")
    seconds = time_sources(network, crops, batches.WORKERS, arguments.turns)
    for name, values in seconds.items():
        print(f"{name}: {np.median(values):.4f} s a step ({min(values):.4f} to {max(values):.4f})")
    waiting, taken = find_shares(seconds)
    print(f"share of a step that waits for data: {waiting:.1%}")
    print(f"share that loading takes from the network's cores: {taken:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
