"""Compare one network with the average of three and of five, each of which holds out another fifth of a set.

    python -m benchmarks.folds --isbi2012 DIR --drive DIR --dsb2018 DIR

Of ISBI 2012 the first six labelled sections are the test images; the other sets come with labelled ones. What follows
-- goes to main.py. A set's rows are kept in benchmarks/folds.csv as they are ready, and are not made again; runs go to
runs/folds/, and are resumed.
"""

import argparse
import shutil
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import main as recipe
from benchmarks import kept
from segmentation.files import dataset, folders, writing
from segmentation.prediction import masks, networks
from segmentation.scores import tables
from segmentation.training import runs

ROWS = Path(__file__).with_suffix(".csv")
RUNS = Path("runs") / "folds"
SETS = ("isbi2012", "drive", "dsb2018")
FOLDS, OUTER = 5, 6
COUNTS = (1, 3, 5)  # networks that are averaged, the first ones; of one, the mean over all


def hold_out(folder):
    """A dataset of ISBI's labelled sections, the first `OUTER` of which are its test images."""
    place = RUNS / "outer"
    shutil.rmtree(place, ignore_errors=True)
    for part in ("image", "label"):
        for i, file in enumerate(folders.find_images(folder / "train" / part).values()):
            tested = place / "test" / ("label" if part == "label" else "")
            target = tested if i < OUTER else place / "train" / part
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return place


def train(name, folder, options):
    """Train the folds, or go on with them; the folders of their networks."""
    run = RUNS / name
    going_on = ["--resume"] if runs.is_begun(run) else ["--folds", str(FOLDS), *options]
    if not runs.has_ended(run):
        out = ["--out", str(run / "masks")]
        if recipe.main(["--data", str(folder), "--run", str(run), *out, *going_on]):
            raise ValueError(f"{folder}: main.py refused it.")
    return runs.list_trainings(run)


def score(trained, folder, out):
    """Mean scores of the test masks by the average of some networks, and the seconds that one takes."""
    members, settings = zip(*(networks.load_network(place / "model.keras") for place in trained), strict=True)
    network = networks.average(members) if len(members) > 1 else members[0]
    chosen = replace(settings[0], border=statistics.median_low(one.border for one in settings))
    images, labels = dataset.find_places(folder, "test")
    files = folders.find_images(images)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    started = time.perf_counter()
    masks.write_masks(network, files, out, chosen)
    seconds = (time.perf_counter() - started) / len(files)
    written, label_files, _ = tables.find_masks(out, labels)
    known, _ = tables.find_classes(label_files, written, labels)
    scores, _ = tables.score_folder(out, labels, known)
    return tables.mean_scores(scores.values()) | {"seconds_an_image": seconds}


def compare(name, folder, options):
    """The rows of a set: list of dict of str."""
    folder = hold_out(folder) if name == "isbi2012" else folder
    trained = train(name, folder, options)
    seconds = [runs.read_summary(place)["seconds"] for place in trained]
    rows = []
    for count in COUNTS:
        chosen = [[place] for place in trained] if count == 1 else [trained[:count]]
        scores = [score(places, folder, RUNS / name / "scored") for places in chosen]
        mean = tables.mean_scores(scores)
        rarer = next(title for title in mean if title.endswith("_iou"))
        shown = {"accuracy": "accuracy", "iou": rarer, **({"v_rand": "v_rand"} if "v_rand" in mean else {})}
        row = {"set": name, "networks": count, "options": " ".join(options)}
        row |= {title: f"{mean.get(shown.get(title), np.nan):.4f}" for title in ("accuracy", "iou", "v_rand")}
        spread = np.std([one[rarer] for one in scores], ddof=1) if count == 1 else np.nan
        row |= {"iou_spread": f"{spread:.4f}", "training_seconds": f"{sum(seconds[:count]):.0f}"}
        rows.append(row | {"seconds_an_image": f"{mean['seconds_an_image']:.2f}"})
    rows[0]["training_seconds"] = f"{np.mean(seconds):.0f}"
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name in SETS:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help="the dataset")
    parser.add_argument("options", nargs="*", help="more options of main.py")
    arguments = parser.parse_args(argv)
    rows = kept.read_rows(ROWS)
    for name in SETS:
        folder, options = getattr(arguments, name), arguments.options
        if folder and not any((row["set"], row["options"]) == (name, " ".join(options)) for row in rows):
            rows += compare(name, folder, options)
            writing.write_table(ROWS, rows)
    for row in rows:
        print(", ".join(f"{title} {value}" for title, value in row.items() if value not in ("", "nan")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
