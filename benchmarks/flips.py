"""Compare averages over some of the eight flips and rotations: scores of what was held out, and seconds.

    python -m benchmarks.flips pretrained runs/isbi2012

Each RUN is the folder of a run, whose data have to be where they were. Of a run of several networks, each predicts what
it has held out.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import data
from segmentation import geometry
from segmentation.prediction import masks, networks
from segmentation.scores import tables
from segmentation.training import runs

CHOICES = {
    "1": (0,),
    "2: flip": (0, 4),
    "2: half turn": (0, 2),
    "4: flips": (0, 2, 4, 6),
    "4: rotations": (0, 1, 2, 3),
    "8": tuple(range(8)),
}
SHOWN = ("accuracy", "iou", "v_rand", "v_info")


def compare(run):
    """Of each choice, a dict of scores and seconds of each section that a network of the run has held out."""
    rows = {name: [] for name in CHOICES}
    for place in runs.list_trainings(run):
        network, settings = networks.load_network(place / "model.keras")
        held_out = data.read_held_out(place)
        predict(network, held_out.images[0][:])  # builds the graph
        for image, label in zip(tqdm(held_out.images, desc=str(place)), held_out.labels, strict=True):
            maps, seconds = predict(network, image[:])
            for name, turns in CHOICES.items():
                mask = masks.to_mask(np.mean([maps[k] for k in turns], axis=0), settings)
                scores = tables.score_mask(label, mask, held_out.classes)
                scores["iou"] = next(value for title, value in scores.items() if title.endswith("_iou"))
                rows[name].append({**scores, "seconds": sum(seconds[k] for k in turns)})
    return rows


def predict(network, image):
    """Probabilities by each of the eight, turned back, and the seconds that each takes: lists."""
    maps, seconds = [], []
    for k in range(8):
        started = time.perf_counter()
        maps.append(geometry.turn_back(masks.predict(network, geometry.turn(image, k), "none"), k))
        seconds.append(time.perf_counter() - started)
    return maps, seconds


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    for run in parser.parse_args(argv).runs:
        rows = compare(run)
        print(f"{run}: {len(rows['1'])} sections")
        means = {name: tables.mean_scores(scores) for name, scores in rows.items()}
        shown = [score for score in (*SHOWN, "seconds") if score in means["1"]]
        print(tables.format_table({name: {score: row[score] for score in shown} for name, row in means.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
