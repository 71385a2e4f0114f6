"""Count the seeds with which a short training ends grey: main.py beside the recipe of zhixuhao/unet.

    python -m benchmarks.grey --data data/membrane data/isbi2012

Each seed trains for a few steps on all but the last fifth of train/ and is looked at on that. It ended grey if its
masks there have no membrane at all, or are no better than one answer for every pixel. The rows go to
benchmarks/grey.csv as they come, and what is there is not run again.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import keras

import data
import main as recipe
from benchmarks import isbi2012, original
from segmentation.files import writing
from segmentation.scores import tables
from segmentation.training import refusals, runs

ROWS = Path(__file__).with_suffix(".csv")


def run_ours(folder, seed, steps):
    """Mean scores on the held-out sections after main.py with its defaults, but one epoch of so many steps."""
    with tempfile.TemporaryDirectory() as scratch:
        data_folder, run = Path(scratch) / "data", Path(scratch) / "run"
        data_folder.mkdir()
        (data_folder / "train").symlink_to((folder / "train").resolve())
        given = ["--data", str(data_folder), "--run", str(run), "--seed", str(seed)]
        options = recipe.parse([*given, "--epochs", "1", "--steps-per-epoch", str(steps)])
        survey, _ = refusals.check(options)
        training, held_out = map(isbi2012.name_membranes, recipe.load(options, survey)[0])
        runs.open_run(run, vars(options))
        recipe.train(options, training, held_out)
        return recipe.finish(options, held_out)["held out"]


def run_original(folder, seed, steps):
    """The same after so many steps of the recipe of zhixuhao/unet."""
    keras.utils.set_random_seed(seed)
    training, held_out = data.split(data.read_pairs(folder / "train"), 0.2)
    network = original.unet()
    network.fit(original.Pairs(training.images, training.labels, steps, seed), verbose=2, shuffle=False)
    masks = [original.predict(network, image) > 0.5 for image in held_out.images]
    return tables.mean_scores(
        [tables.score_mask(*pair, isbi2012.MEMBRANES) for pair in zip(held_out.labels, masks, strict=True)]
    )


RECIPES = {"main.py": run_ours, isbi2012.ORIGINAL: run_original}


def tabulate(rows):
    """A Markdown table: how many seeds of each recipe, dataset and number of steps ended grey."""
    lines = ["| recipe | data | steps | seeds | ended grey |", "|---" * 5 + "|"]
    groups = {}
    for row in rows:
        groups.setdefault((row["recipe"], row["data"], row["steps"]), []).append(row)
    for group, same in groups.items():
        grey = sum(row["membrane_iou"] == 0 or row["accuracy"] <= row["constant"] for row in same)
        lines.append(f"| {' | '.join(map(str, group))} | {len(same)} | {grey} |")
    return "\n".join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, nargs="+", default=[Path("data/membrane")], help="datasets")
    add("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES), help="what to run")
    add("--seeds", type=int, default=20, help="how many seeds, from 0")
    add("--steps", type=int, default=110, help="steps of training")
    arguments = parser.parse_args(argv)
    for name in arguments.recipes:
        for folder in arguments.data:
            for seed in range(arguments.seeds):
                rows = isbi2012.read_rows(ROWS)
                key = {"recipe": name, "data": folder.resolve().name, "steps": arguments.steps, "seed": seed}
                if not any(key.items() <= row.items() for row in rows):
                    keras.backend.clear_session()
                    scores = RECIPES[name](folder, seed, arguments.steps)
                    writing.write_table(ROWS, [*rows, {**key, **scores}])
    print(tabulate(isbi2012.read_rows(ROWS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
