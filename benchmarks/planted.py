"""Plant faults in labels of data/membrane, train on them, and count how many `evaluate.py labels` finds first.

    python -m benchmarks.planted -- --folds 3 --steps-per-epoch 60

Of twenty faults nine are cells filled with membrane, eight squares without their membranes, two the labels of two
sections that are swapped, one a label that lies beside its image. What follows -- goes to main.py; the run is kept in
runs/planted, and resumed.
"""

import argparse
import csv
import shutil
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

import evaluate
import main as recipe
from segmentation.files import folders, images, writing
from segmentation.training import runs

SOURCE, RUN = Path("data/membrane"), Path("runs/planted")
FILLED, WIPED = 9, 8  # sections, the first ones; the rest of the faults follow
CELLS = 800, 4000  # pixels of a cell that is filled
SIDE, LEAST = 64, 0.15  # pixels of what is wiped, and the share of them that is membrane
SHIFT = 8  # pixels between a label and its image
FIRST = 30  # places that are looked at


def fill(label, rng):
    """Fill one of the cells of a label, in place; its (top, left, bottom, right)."""
    parts, _ = ndimage.label(label > 0)
    sizes = np.bincount(parts.ravel())
    fitting = np.flatnonzero((sizes >= CELLS[0]) & (sizes <= CELLS[1]))
    number = rng.choice(fitting[fitting > 0])
    label[parts == number] = 0
    window = ndimage.find_objects(parts)[number - 1]
    return (window[0].start, window[1].start, window[0].stop, window[1].stop)


def wipe(label, rng):
    """Make a square of a label, with membranes in it, one cell, in place; its (top, left, bottom, right)."""
    shares = 1 - ndimage.uniform_filter((label > 0).astype(float), SIDE)
    half = SIDE // 2
    inside = np.argwhere(shares[half:-half, half:-half] > LEAST)
    top, left = map(int, inside[rng.integers(len(inside))])
    label[top : top + SIDE, left : left + SIDE] = 255
    return (top, left, top + SIDE, left + SIDE)


def plant(folder, seed=0):
    """Copy `SOURCE` to a folder, with faults in its labels.

    Returns
    -------
    list of (section, box)
        Where each fault is; box is None where it is the whole label.
    """
    rng = np.random.default_rng(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCE / "train", folder / "train")
    shutil.copy(SOURCE / "dataset.json", folder)
    files = folders.find_images(folder / "train" / "label")
    labels = {stem: images.read_array(file).copy() for stem, file in files.items()}
    # Faults are in sections far from each other as well as next to each other.
    chosen = list(map(str, rng.permutation(list(labels))[: FILLED + WIPED + 3]))
    planted = [(stem, fill(labels[stem], rng)) for stem in chosen[:FILLED]]
    planted += [(stem, wipe(labels[stem], rng)) for stem in chosen[FILLED : FILLED + WIPED]]
    one, other, beside = chosen[-3:]
    labels[one], labels[other] = labels[other], labels[one]
    labels[beside] = np.roll(labels[beside], SHIFT, axis=1)
    for stem in chosen:
        writing.write_mask(files[stem], labels[stem])
    return [*planted, *((stem, None) for stem in chosen[-3:])]


def is_found(fault, row):
    """Whether a row of doubtful_labels.csv is of a fault."""
    section, box = fault
    if row["section"] != section or box is None:
        return row["section"] == section and "its label" in row["what"]
    top, left, bottom, right = (int(row[name]) for name in ("top", "left", "bottom", "right"))
    return top < box[2] and bottom > box[0] and left < box[3] and right > box[1]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the faults; 0 if not given")
    parser.add_argument("options", nargs="*", help="options of main.py")
    given = parser.parse_args(argv)
    folder = RUN / "data"
    planted = plant(folder, given.seed)
    going_on = ["--resume"] if runs.is_begun(RUN) else given.options
    if not runs.has_ended(RUN) and recipe.main(["--data", str(folder), "--run", str(RUN), *going_on]):
        return 2
    if evaluate.main(["labels", str(RUN)]):
        return 2
    with (RUN / "doubtful_labels.csv").open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))[:FIRST]
    found = [fault for fault in planted if any(is_found(fault, row) for row in rows)]
    print(f"{len(found)} of {len(planted)} faults are among the first {FIRST} places.")
    for section, box in (fault for fault in planted if fault not in found):
        print(f"Not among them: {section}, {'all of it' if box is None else box}")
    for section in (section for section, box in planted if box is None):
        print(section, [row["what"] for row in rows if row["section"] == section])
    return 0


if __name__ == "__main__":
    sys.exit(main())
