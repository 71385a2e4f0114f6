"""Compare main.py with the recipe of zhixuhao/unet on the real sections: scores against time.

    python -m benchmarks.isbi2012             # all of it, hours on two cores
    python -m benchmarks.isbi2012 --folds 4   # one fold, for a quick look
    python -m benchmarks.isbi2012 --test      # main.py alone, on the challenge's test sections

A fold holds out six sections in a row: no network sees them in training, nor is its mask chosen by them. Scores are of
the masks as they are written; `map_v_rand`, `map_v_info` and `map_pixel_error` are of the probabilities at the best
threshold, as in the challenge. Its own test sections are used by --test alone, which trains on all thirty labelled ones
and needs the labels that prepare.py takes from the archive.

The recipe of main.py was chosen by trainings on sections 0 to 17 scored on 18 to 29 (LOG.md): what folds 0 to 2 hold
out had no part in that, but for how masks are made of maps, for which every third section was looked at too. The
network in pretrained/ has seen simulated sections alone, whose look was chosen by comparing them with all thirty.

The scores go to benchmarks/isbi2012.csv as each fold ends, and folds that are there are not run again. The clock stands
still while a network is looked at.
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

import data
import main as recipe
from benchmarks import kept, original
from segmentation import arguments, figures
from segmentation.files import classes, dataset, folders, writing
from segmentation.prediction import masks, networks, watershed
from segmentation.scores import isbi2012, tables
from segmentation.training import refusals, runs

FOLDS = 5
MEMBRANES = classes.Classes((0, 255), ("membrane", "cell"), parted=True)
TEST_LABELS = "test-labels.tif"
LOOK = 50  # steps between looks at the original
ROWS = Path(__file__).with_suffix(".csv")
SCORES = ("accuracy", "membrane_iou", "v_rand", "v_info", "map_v_rand", "map_v_info", "map_pixel_error", "minutes")
CHALLENGE = ("v_rand", "v_info", "pixel_error")
# Of others on the test sections: the challenge's leaderboard, and Ronneberger et al. 2015.
PUBLISHED = {
    "mutex watershed": (0.9879, 0.9918, np.nan),
    "SFCNN": (0.9868, 0.9914, np.nan),
    "U-Net": (0.9728, 0.9866, 0.0611),
}
ORIGINAL = "zhixuhao/unet"
START = ["--weights", str(arguments.PRETRAINED), "--learning-rate", "1e-3"]
OURS = {
    "main.py": [],
    "main.py, short": ["--epochs", "1", "--steps-per-epoch", "110"],
    "main.py, wide": ["--width", "32", "--steps-per-epoch", "300"],
    "main.py, from pretrained/": [*START, "--epochs", "1", "--steps-per-epoch", "30"],
}
COLOURS = dict(zip((*OURS, ORIGINAL), ("#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#D55E00"), strict=True))


class Looks(keras.callbacks.Callback):
    """Score a network on the held-out sections every so many steps, with the clock stopped."""

    def __init__(self, every, predict_map, images, labels):
        super().__init__()
        self.every, self.predict_map = every, predict_map
        self.images, self.labels = images, labels
        self.rows, self.seconds = [], 0.0

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        if step % self.every == 0:
            self.on_train_end()
            maps = [self.predict_map(self.model, image) for image in self.images]
            self.rows.append({"step": step, "minutes": self.seconds / 60, **score(self.labels, maps)})
            self.on_train_begin()

    def on_train_end(self, logs=None):
        self.seconds += time.perf_counter() - self.started


def name_membranes(pairs):
    """The same `data.Pairs`, with the challenge's words for its classes, for a folder that does not give them."""
    return replace(pairs, classes=replace(pairs.classes, names=MEMBRANES.names))


def score(labels, maps, border=watershed.NO_LINES):
    """Scores of the masks, as `watershed.mask_cells` makes them, and those of the maps at their best threshold."""
    inside = [watershed.mask_cells(probability, border) for probability in maps]
    best = {f"map_{name}": value for name, value in isbi2012.challenge_scores(labels, maps).items()}
    rows = [tables.score_mask(label, mask, MEMBRANES) for label, mask in zip(labels, inside, strict=True)]
    return {**tables.mean_scores(rows), **best}


def run_original(folder, fold, seed):
    """Rows of the recipe of zhixuhao/unet."""
    keras.utils.set_random_seed(seed)
    pairs = data.read_pairs(folder / "train")
    (trained, images), (trained_labels, labels) = split(pairs.images, fold), split(pairs.labels, fold)
    looks = Looks(LOOK, original.predict, images, labels)
    batches = original.Pairs(trained, trained_labels, original.STEPS, seed)
    original.unet().fit(batches, verbose=2, shuffle=False, callbacks=[looks])
    return looks.rows


def run_ours(folder, fold, seed, changes):
    """Rows of main.py, which holds out some of its sections once more, and a last one without averaging over flips.

    The last two are of the network and the masks that main.py has chosen by what it held out itself.
    """
    with tempfile.TemporaryDirectory() as scratch:
        outside, run = Path(scratch) / "data", Path(scratch) / "run"
        for part in ("image", "label"):
            (outside / "train" / part).mkdir(parents=True)
            for file in split(list(folders.find_images(folder / "train" / part).values()), fold)[0]:
                shutil.copy(file, outside / "train" / part)
        options = recipe.parse(["--data", str(outside), "--run", str(run), "--seed", str(seed), *changes])
        survey, _ = refusals.check(options)
        training, held_out = map(name_membranes, recipe.load(options, survey)[0])
        runs.open_run(run, vars(options))
        pairs = data.read_pairs(folder / "train")
        images, labels = split(pairs.images, fold)[1], split(pairs.labels, fold)[1]
        looks = Looks(options.steps_per_epoch, masks.predict, images, labels)
        recipe.train(options, training, held_out, watching=[looks])
        recipe.finish(options, held_out)
        network, settings = networks.load_network(run / "model.keras")
        last = {"step": looks.rows[-1]["step"], "minutes": looks.seconds / 60}
        maps = [masks.predict(network, image) for image in images]
        rows = [*looks.rows[:-1], {**last, **score(labels, maps, settings.border)}]
        maps = [masks.predict(network, image, turns="none") for image in images]
        return rows, {**last, **score(labels, maps, settings.border)}


def run_test(folder, seed):
    """Scores on the challenge's test sections, as from `score`, of main.py's defaults, trained on all labelled ones.

    Raises
    ------
    ValueError
        If the test sections have no labels.
    """
    place, label_place = dataset.find_places(folder, "test")
    label_files = folders.find_images(label_place, masks=True) if label_place.is_dir() else {}
    if not label_files:
        raise ValueError(f"{label_place}: no labels; prepare.py writes them if the archive holds {TEST_LABELS}.")
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        options = ["--data", str(folder), "--run", str(run), "--out", str(run / "masks"), "--seed", str(seed)]
        if recipe.main(options):
            raise ValueError(f"{folder}: main.py refused it.")
        network, settings = networks.load_network(run / "model.keras")
    files = folders.find_images(place)
    pages = [masks.read_pages(network, files[stem])[0][0] for stem in label_files]
    maps = [masks.predict(network, page, settings.turns, scaled=settings.scaling) for page in pages]
    inside = [tables.read_mask(file, MEMBRANES)[0] == 1 for file in label_files.values()]
    return score(np.array(inside), maps, settings.border)


def split(sections, fold):
    """Sections of a list outside and inside a fold."""
    size = len(sections) // FOLDS
    start = fold * size
    return sections[:start] + sections[start + size :], sections[start : start + size]


def run_fold(name, folder, fold, seed):
    """Rows of one recipe on one fold, in order of time."""
    key = {"fold": fold, "seed": seed}
    if name == ORIGINAL:
        return [{"recipe": name, **key, **row} for row in run_original(folder, fold, seed)]
    rows, unturned = run_ours(folder, fold, seed, OURS[name])
    return [*({"recipe": name, **key, **row} for row in rows), {"recipe": f"{name}, --no-flips", **key, **unturned}]


def in_a_process(function, *arguments):
    """Call a function in a process of its own, so that no run inherits another's memory or threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def read_rows(path):
    """Rows of earlier runs from a CSV file, with their numbers as such; an empty list if there is none."""
    return [{key: number(value) for key, value in row.items()} for row in kept.read_rows(path)]


def number(text):
    """An int or a float if the text is one, the text otherwise."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def last_rows(rows, name):
    """The last row of each fold and seed of a recipe."""
    return list({(row["fold"], row["seed"]): row for row in rows if row["recipe"] == name}.values())


def tabulate(rows):
    """A Markdown table: mean and standard deviation over the folds of each recipe."""
    shown = [score for score in SCORES if any(row.get(score, "") != "" for row in rows)]  # one came later than rows
    lines = ["| recipe | folds | " + " | ".join(shown) + " |", "|---" * (len(shown) + 2) + "|"]
    for name in sorted({row["recipe"] for row in rows}):
        last = last_rows(rows, name)
        columns = [[row[score] for row in last if row.get(score, "") != ""] for score in shown]
        parts = [
            f"{np.mean(column):.3f}" + f" ± {np.std(column):.3f}" * (len(column) > 1) if column else ""
            for column in columns
        ]
        lines.append(f"| {name} | {len(last)} | " + " | ".join(parts) + " |")
    return "\n".join(lines)


def draw(rows, colours):
    """Figure of accuracy and V_rand against minutes: a thin line a fold, a thick one for their mean."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, column in (left, "accuracy"), (right, "map_v_rand"):
        for name, colour in colours.items():
            curves = {}
            for row in rows:
                if row["recipe"] == name:
                    curves.setdefault((row["fold"], row["seed"]), []).append((row["minutes"], row[column]))
            for curve in curves.values():
                axes.plot(*zip(*curve, strict=True), ".-", color=colour, alpha=0.3, linewidth=1)
            if len({*map(len, curves.values())}) == 1:
                axes.plot(*np.mean(list(curves.values()), axis=0).T, "o-", color=colour, linewidth=2.5, label=name)
        axes.set(xlabel="minutes of training", xscale="log")
        axes.set_xticks([0.2, 0.5, 1, 2, 5, 10, 20], [0.2, 0.5, 1, 2, 5, 10, 20])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
    left.set_title("accuracy on held-out sections")
    right.set_title("V_rand, best threshold")
    right.legend(loc="lower left")
    return figure


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/isbi2012"), help="the real sections, by data/isbi2012/prepare.py")
    add("--folds", type=int, nargs="+", choices=range(FOLDS), default=list(range(FOLDS)), help="held-out blocks to run")
    add("--recipes", nargs="+", choices=[*OURS, ORIGINAL], default=[*OURS, ORIGINAL], help="what to run")
    add("--seed", type=int, default=0, help="of weights, batches and dropout")
    how = "train main.py on all labelled sections, and score it on the challenge's test sections"
    add("--test", action="store_true", help=how)
    arguments = parser.parse_args(argv)
    if arguments.test:
        try:
            found = run_test(arguments.data, arguments.seed)
        except ValueError as error:
            print(f"isbi2012.py: {error}", file=sys.stderr)
            return 2
        ours = tuple(found[f"map_{name}"] for name in CHALLENGE)
        rows = {name: dict(zip(CHALLENGE, row, strict=True)) for name, row in {"main.py": ours, **PUBLISHED}.items()}
        print(tables.format_table(rows))
        return 0
    for fold in arguments.folds:
        for name in arguments.recipes:
            rows = read_rows(ROWS)
            if any((row["recipe"], row["fold"], row["seed"]) == (name, fold, arguments.seed) for row in rows):
                continue
            rows += in_a_process(run_fold, name, arguments.data, fold, arguments.seed)
            writing.write_table(ROWS, rows, list(dict.fromkeys(column for row in rows for column in row)))
            print(tabulate(rows), flush=True)
    rows = read_rows(ROWS)
    print(tabulate(rows))
    figures.save(draw(rows, COLOURS), Path("img") / "isbi2012.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
