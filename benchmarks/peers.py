"""Compare main.py with what one would pick instead, on the real sections: scores after so many minutes of training.

    python -m benchmarks.peers --folds 0 --minutes 5

nnU-Net v2 (2D) and the recipe of milesial/Pytorch-UNet train for so many minutes each, main.py and the recipe of
zhixuhao/unet for as long as they take. The folds are those of `benchmarks.isbi2012`, and so are the scores. Install
benchmarks/peers.txt. The rows are kept in benchmarks/peers.csv as they are ready, and are not made again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import data
from benchmarks import isbi2012
from segmentation import figures
from segmentation.files import folders, writing

ROWS = Path(__file__).with_suffix(".csv")
OURS = "main.py"
OTHERS = {"nnU-Net": "benchmarks.nnunet", "milesial/Pytorch-UNet": "benchmarks.milesial"}
COLOURS = {OURS: "#0072B2", isbi2012.ORIGINAL: "#D55E00", "nnU-Net": "#009E73", "milesial/Pytorch-UNet": "#CC79A7"}


def write_fold(folder, fold, place):
    """A dataset in `place`, of the sections outside a fold; those inside are its test images."""
    for part in ("image", "label"):
        files = list(folders.find_images(folder / "train" / part).values())
        training, tested = isbi2012.split(files, fold)
        targets = {place / "train" / part: training}
        if part == "image":
            targets[place / "test"] = tested
        for target, copied in targets.items():
            target.mkdir(parents=True)
            for file in copied:
                shutil.copy(file, target)


def run_other(name, folder, fold, minutes):
    """The row of a recipe that has a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        place, out = Path(scratch) / "data", Path(scratch) / "out"
        write_fold(folder, fold, place)
        command = [sys.executable, "-m", OTHERS[name], str(place), str(out), "--minutes", str(minutes)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        steps, seconds = (float(part.split()[0]) for part in said.splitlines()[-1].split(","))
        tested = list(folders.find_images(place / "test"))
        maps = [np.load(out / f"{stem}.npy") for stem in tested]
    labels = isbi2012.split(data.read_pairs(folder / "train").labels, fold)[1]
    return {"step": int(steps), "minutes": seconds / 60, **isbi2012.score(labels, maps)}


def run(name, folder, fold, minutes):
    """The rows of a recipe on a fold: one, or those of all looks at it while it trained."""
    if name in OTHERS:
        rows = [{"recipe": name, **run_other(name, folder, fold, minutes)}]
    else:
        rows = isbi2012.in_a_process(isbi2012.run_fold, name, folder, fold, 0)
    key = {"recipe": name, "fold": fold, "seed": 0, "asked": minutes if name in OTHERS else ""}
    columns = ("step", *isbi2012.SCORES)
    return [key | {column: row[column] for column in columns} for row in rows if row["recipe"] == name]


def tabulate(rows):
    """A Markdown table: means over the folds of each recipe and of each time it was given."""
    times = {row["asked"]: f", {row['asked']:g} minutes" if row["asked"] else "" for row in rows}
    named = [row | {"recipe": row["recipe"] + times[row["asked"]]} for row in rows]
    return isbi2012.tabulate(named)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/isbi2012"), help="the real sections, by data/isbi2012/prepare.py")
    add("--folds", type=int, nargs="+", choices=range(isbi2012.FOLDS), default=[0], help="held-out blocks; 0 if none")
    add("--recipes", nargs="+", choices=list(COLOURS), default=list(COLOURS), help="what to run; all if none is named")
    add("--minutes", type=float, nargs="+", default=[5, 30], help="of training; 5 and 30 if not given")
    options = parser.parse_args(argv)
    for fold in options.folds:
        for name in options.recipes:
            for minutes in options.minutes if name in OTHERS else options.minutes[:1]:
                rows = isbi2012.read_rows(ROWS)
                asked = minutes if name in OTHERS else ""
                if any((row["recipe"], row["fold"], row["asked"]) == (name, fold, asked) for row in rows):
                    continue
                rows += run(name, options.data, fold, minutes)
                writing.write_table(ROWS, rows)
                print(tabulate(rows), flush=True)
    rows = isbi2012.read_rows(ROWS)
    print(tabulate(rows))
    figures.save(isbi2012.draw(rows, COLOURS), Path("img") / "peers.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
