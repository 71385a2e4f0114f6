"""Measure how far the probabilities of networks are off, before and after they are calibrated.

    python -m benchmarks.calibration runs/isbi2012 runs/drive

Each RUN is the folder of a run, whose data have to be where they were. The temperature is fitted on every other section
that the network has held out, and the error is that on the rest, which neither has seen.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import data
from segmentation.prediction import masks, networks
from segmentation.scores import calibration, tables
from segmentation.training import runs


def compare(folder):
    """Temperature, of several classes their mean, and errors of the network in a folder: dict of str to float."""
    held_out = data.read_held_out(folder)
    network, settings = networks.load_network(folder / "model.keras")
    images = tqdm(held_out.images, desc=str(folder), unit="image")
    maps = [masks.predict(network, image, turns=settings.turns) for image in images]
    temperature = calibration.fit_temperature(held_out.labels[::2], maps[::2])
    others, labels = maps[1::2], list(held_out.labels)[1::2]
    calibrated = [calibration.calibrate(probability, temperature) for probability in others]
    errors = [
        calibration.expected_error(calibration.measure_reliability(labels, each)) for each in (others, calibrated)
    ]
    return dict(zip(("temperature", "before", "after"), (np.mean(temperature), *errors), strict=True))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    rows = {}
    for run in parser.parse_args(argv).runs:
        found = [compare(folder) for folder in runs.list_trainings(run)]
        rows[str(run)] = {name: float(np.mean([row[name] for row in found])) for name in found[0]}
    print(tables.format_table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
