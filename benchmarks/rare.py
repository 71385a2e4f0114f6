"""Compare ways to train on rare classes, one at a time, on held-out training images; test/ is not looked at.

    python -m benchmarks.rare --drive DIR --camvid DIR --dsb2018 DIR

Beside the sets that are named it trains on data/membrane and on one that it draws: spots on 0.5 % of the pixels, among
rings of the same grey. Each training is short. The rows are kept in benchmarks/rare.csv as each ends; what has a row
there is not trained again.
"""

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import draw

import main as recipe
from benchmarks import kept
from segmentation.files import description, writing
from segmentation.training import runs

ROWS = Path(__file__).with_suffix(".csv")
WAYS = {
    "cross-entropy": ["--loss", "cross-entropy", "--centred", "0"],
    "dice": ["--loss", "dice", "--centred", "0"],
    "class weights": ["--loss", "cross-entropy", "--class-weights", "--centred", "0"],
    "centred": ["--loss", "cross-entropy", "--centred", "0.5"],
    "focal": ["--loss", "focal", "--centred", "0"],
}
SETS = ("spots", "drive", "camvid", "dsb2018", "membrane")
OPTIONS = {"camvid": ["--ignore", "11"]}  # not labelled
STEPS = {"camvid": 200, "drive": 80, "dsb2018": 80, "membrane": 60, "spots": 80}
SIDE, COUNT, SPOTS, RINGS = 192, 20, 8, 16


def draw_spots(folder, seed=0):
    """Write a dataset of `COUNT` images with spots, the class, and rings."""
    rng = np.random.default_rng(seed)
    for i in range(COUNT):
        image = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), 6) * 80 + 110
        label = np.zeros((SIDE, SIDE), bool)
        for number in range(SPOTS + RINGS):
            radius = rng.uniform(2, 3.5) if number < SPOTS else rng.uniform(4, 7)
            y, x = rng.uniform(10, SIDE - 10, 2)
            inside = draw.disk((y, x), radius, shape=label.shape)
            image[inside] += 70
            if number < SPOTS:
                label[inside] = True
            else:
                image[draw.disk((y, x), radius - 2, shape=label.shape)] -= 70
        image = np.clip(image + rng.normal(0, 12, image.shape), 0, 255)
        for part, array in ("image", np.uint8(image)), ("label", np.uint8(255 * label)):
            place = folder / "train" / part
            place.mkdir(parents=True, exist_ok=True)
            writing.write_mask(place / f"{i}.png", array)
    return folder


def train(name, folder, way, seed):
    """Train on part of a dataset's train/, and return the row of what the rest scores: dict of str to str."""
    with tempfile.TemporaryDirectory() as temporary:
        here, run = Path(temporary) / name, Path(temporary) / "run"
        here.mkdir()
        for part in ("train", description.NAME):
            if (folder / part).exists():
                (here / part).symlink_to((folder / part).resolve())
        length = ["--epochs", "1", "--steps-per-epoch", str(STEPS[name]), "--seed", str(seed)]
        if recipe.main(["--data", str(here), "--run", str(run), *length, *OPTIONS.get(name, []), *WAYS[way]]):
            raise ValueError(f"{folder}: main.py refused it.")
        scores = runs.read_summary(run)["scores"]["held out"]
    each = {title: value for title, value in scores.items() if title.endswith("_iou") and title != "mean_iou"}
    row = {"set": name, "way": way, "seed": str(seed), "steps": str(STEPS[name])}
    return row | {
        "mean_iou": f"{np.nanmean(list(each.values())):.4f}",
        "rarer_iou": f"{next(iter(each.values())):.4f}" if len(each) == 2 else "",
        "classes_at_zero": str(sum(value < 0.005 for value in each.values())),
        "v_rand": f"{scores['v_rand']:.4f}" if "v_rand" in scores else "",
    }


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name in ("camvid", "drive", "dsb2018"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help="the dataset")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each")
    options = parser.parse_args(argv)
    rows = kept.read_rows(ROWS)
    done = {(row["set"], row["way"], row["seed"]) for row in rows}
    with tempfile.TemporaryDirectory() as temporary:
        named = {name: getattr(options, name) for name in ("drive", "camvid", "dsb2018")}
        folders = {"spots": draw_spots(Path(temporary) / "spots"), **named, "membrane": Path("data/membrane")}
        trainings = itertools.product(range(options.seeds), filter(folders.get, SETS), WAYS)
        for seed, name, way in trainings:
            if (name, way, str(seed)) not in done:
                rows.append(train(name, folders[name], way, seed))
                writing.write_table(ROWS, rows)
    for row in rows:
        print(", ".join(f"{title} {value}" for title, value in row.items() if value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
