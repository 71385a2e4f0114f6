"""Train main.py's defaults on data of other fields, and print its scores beside the constant answer and published ones.

    python -m benchmarks.fields --drive DIR --dsb2018 DIR --hela DIR --camvid DIR

Each is a dataset in the layout of this repository, with labelled test images; docs/results.md says how to get it. What
follows -- goes to main.py. The rows are kept in benchmarks/fields.csv as each training ends; a set whose row is there
is not trained on again. Runs, and with them the masks, go to runs/fields/.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import main as recipe
from benchmarks import kept
from segmentation.files import dataset, writing
from segmentation.prediction import networks
from segmentation.prediction import objects as numbering
from segmentation.scores import objects, tables
from segmentation.training import runs

ROWS = Path(__file__).with_suffix(".csv")
RUNS = Path("runs") / "fields"


@dataclass(frozen=True)
class Field:
    """A set, the `score` that is quoted for it, and what a plain U-Net has by others, with the source."""

    score: str
    published: str
    counted: bool = False


FIELDS = {
    "drive": Field("dice of vessels", "0.787 (mmsegmentation), 0.814, 0.816; second observer 0.788"),
    "dsb2018": Field("iou of nuclei", "about 0.91, all images and kinds (UNet++ paper's U-Net)", counted=True),
    "hela": Field("dice of nuclei", "none on these labels"),
    "camvid": Field("mean iou of 11 classes", "0.525 (ENet, test) to 0.72 (OpenVINO, val), all 367 images"),
}


def train(name, folder, options):
    """Train the defaults on a dataset and return its row: dict of str to str or float."""
    run = RUNS / name
    if recipe.main(["--data", str(folder), "--run", str(run), "--out", str(run / "masks"), *options]):
        raise ValueError(f"{folder}: main.py refused it.")
    summary = runs.read_summary(run)
    held_out, tested = summary["scores"]["held out"], summary["scores"]["test"]
    kind = FIELDS[name].score.split()[0]
    shown = "mean_iou" if kind == "mean" else next(score for score in tested if score.endswith(f"_{kind}"))
    row = {
        "set": name,
        "score": FIELDS[name].score,
        "held_out": held_out[shown],
        "test": tested[shown],
        "accuracy": tested["accuracy"],
        "constant": tested["constant"],
        "minutes": summary["seconds"] / 60,
        "f1": count_objects(run, folder)["f1"] if FIELDS[name].counted else np.nan,
        "zero": sum(tested.get(score, 1) == 0 for score in tested if score.endswith("_iou")),
        "options": " ".join(options),
        "published": FIELDS[name].published,
    }
    return {title: f"{value:.4f}" if isinstance(value, float) else value for title, value in row.items()}


def count_objects(run, folder):
    """The scores of objects of test masks, as from `objects.score_matches`, at an IoU of 0.5.

    The objects are those that `predict.py --objects` writes.
    """
    masks, (_, settings) = run / "masks", networks.load_network(run / "model.keras")
    place = dataset.find_places(folder, "test")[1]
    files, label_files, _ = tables.find_masks(masks, place)
    known, _ = tables.find_classes(label_files, files, place)
    sections = tables.read_sections(files, label_files, known)
    pairs = [(label == 1, numbering.number_objects(mask, [1], settings.smallest)[0]) for _, (label, mask) in sections]
    return objects.score_matches([objects.count_matches(*pair) for pair in pairs])


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name, field in FIELDS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"the dataset, for the {field.score}")
    parser.add_argument("options", nargs="*", help="more options of main.py")
    arguments = parser.parse_args(argv)
    rows = {(row["set"], row["options"]): row for row in kept.read_rows(ROWS)}
    for name in FIELDS:
        folder, key = getattr(arguments, name), (name, " ".join(arguments.options))
        if folder and key not in rows:
            rows[key] = train(name, folder, arguments.options)
            writing.write_table(ROWS, list(rows.values()))
    for row in rows.values():
        print(", ".join(f"{title} {value}" for title, value in row.items() if value not in ("", "nan")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
