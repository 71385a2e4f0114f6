"""The recipe of milesial/Pytorch-UNet, written anew, for so many minutes, to be measured beside main.py by peers.py.

    python -m benchmarks.milesial DIR OUT --minutes 5

A network of the paper's size; whole sections at half their size, one a step, without augmentation; RMSprop from 1e-5,
divided by ten when the Dice of a held-out tenth stops to rise; cross-entropy and Dice; bfloat16 where the original has
float16. DIR and OUT are as for `benchmarks.nnunet`.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from benchmarks import plain

SCALE, HELD_OUT, LOOKS, LARGEST = 0.5, 0.1, 5, 1.0  # LOOKS at the held-out tenth an epoch; LARGEST norm of a gradient
MIXED = torch.bfloat16


def read(file, label=False):
    """A file at half its size: float32 tensor (1, 1, height, width) in [0, 1]."""
    opened = Image.open(file)
    size = [int(SCALE * side) for side in opened.size]
    resized = opened.resize(size, Image.Resampling.NEAREST if label else Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(resized, "float32") / 255)[None, None]


def measure_dice(logits, label):
    """The Dice of probabilities and a label."""
    probability = torch.sigmoid(logits)
    return (2 * (probability * label).sum() + 1e-6) / (probability.sum() + label.sum() + 1e-6)


def train(folder, minutes, seed):
    """Train; returns the network, the steps and the seconds that these took."""
    torch.manual_seed(seed)
    files = sorted((folder / "train" / "image").glob("*.png"))
    pairs = [(read(file), read(folder / "train" / "label" / file.name, label=True)) for file in files]
    order = torch.randperm(len(pairs)).tolist()
    count = max(1, int(HELD_OUT * len(pairs)))
    held_out, training = [pairs[i] for i in order[:count]], [pairs[i] for i in order[count:]]
    network = plain.UNet(width=64, dropout=0, each=True).to(memory_format=torch.channels_last)
    optimiser = torch.optim.RMSprop(network.parameters(), lr=1e-5, weight_decay=1e-8, momentum=0.999, foreach=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, "max", patience=5)
    started, steps, waiting = time.perf_counter(), 0, []
    while time.perf_counter() - started < 60 * minutes:
        waiting = waiting or torch.randperm(len(training)).tolist()
        image, label = training[waiting.pop()]
        network.train()
        with torch.autocast("cpu", MIXED):
            logits = network(image).float()
            loss = functional.binary_cross_entropy_with_logits(logits, label) + 1 - measure_dice(logits, label)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST)
        optimiser.step()
        steps += 1
        if steps % max(1, len(training) // LOOKS) == 0:
            found = [measure_dice(1e4 * predict(network, image), label) for image, label in held_out]
            scheduler.step(sum(found) / len(found))
    return network, steps, time.perf_counter() - started


def predict(network, image):
    """Logits of an image as from `read`."""
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", MIXED):
        return network(image).float()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR", help="dataset: train/image, train/label, test")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the probabilities")
    parser.add_argument("--minutes", type=float, default=5, help="of training; 5 if not given")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order; 0 if not given")
    options = parser.parse_args(argv)
    network, steps, seconds = train(options.data, options.minutes, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    for file in sorted((options.data / "test").glob("*.png")):
        size = Image.open(file).size[::-1]
        whole = functional.interpolate(predict(network, read(file)), size, mode="bilinear")
        np.save(options.out / f"{file.stem}.npy", torch.sigmoid(whole)[0, 0].numpy())
    print(f"{steps} steps, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
