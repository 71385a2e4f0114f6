"""Choose which sections to label by how much a network disagrees with itself about them, and see whether that helps.

    python -m benchmarks.ranking -- --steps-per-epoch 60

Of the training sections of data/membrane two at random are labelled. Twice a network is trained on what is labelled,
and three more are: those about whose flips and rotations it disagrees most. A last network is trained on these eight,
and another one on the same two and six at random. Both are scored on what is held out. What follows -- goes to
main.py. Rows are kept in benchmarks/ranking.csv as they end.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import data
import main as recipe
from benchmarks import kept
from segmentation import devices, geometry
from segmentation.files import writing
from segmentation.prediction import masks, networks
from segmentation.training import refusals, runs

SOURCE, RUN, ROWS = Path("data/membrane"), Path("runs/ranking"), Path(__file__).with_suffix(".csv")
BEGUN, ADDED, ROUNDS = 2, 3, 2  # sections labelled at first, and in each round
SCORE = "val_membrane_iou"  # the higher, the better


def disagree(network, image):
    """The mean standard deviation of the probabilities that a network gives the flips and rotations of an image."""
    seen = [
        geometry.turn_back(masks.predict(network, geometry.turn(image, k), turns="none"), k)
        for k in geometry.TURNS["all"]
    ]
    return float(np.std(seen, axis=0).mean())


def train(options, name, numbers, pairs):
    """The network, and its score on what is held out, after a training on so many sections, or after an earlier one."""
    training, held_out = pairs
    run = options.run / name
    finished = runs.read_history(run / "history.csv") if (run / "history.csv").is_file() else []
    if len(finished) < options.epochs:
        run.mkdir(parents=True, exist_ok=True)
        recipe.train(argparse.Namespace(**vars(options) | {"run": run}), data.pick(training, numbers), held_out)
        finished = runs.read_history(run / "history.csv")
    best = min(finished, key=lambda row: float(row["val_loss"]))
    network, _ = networks.load_network(run / "model.keras")
    return network, float(best[SCORE])


def compare(options, pairs):
    """The scores of eight sections that were ranked, and of eight at random: two dicts, rows of the table."""
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(pairs[0].stems)).tolist()
    ranked = order[:BEGUN]
    for number in range(ROUNDS):
        network, _ = train(options, f"round{number}", ranked, pairs)
        rest = [i for i in range(len(order)) if i not in ranked]
        ranked += sorted(rest, key=lambda i: -disagree(network, pairs[0].images[i]))[:ADDED]
    for name, numbers in (("ranked", ranked), ("at random", order[: len(ranked)])):
        _, score = train(options, name.replace(" ", "_"), numbers, pairs)
        stems = " ".join(pairs[0].stems[i] for i in numbers)
        yield {"seed": options.seed, "chosen": name, "sections": stems, SCORE: f"{score:.4f}"}
        devices.forget()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="how often; 5 if not given")
    parser.add_argument("options", nargs="*", help="options of main.py")
    given = parser.parse_args(argv)
    for seed in range(given.seeds):
        fixed = ["--data", SOURCE, "--run", RUN / str(seed), "--seed", seed]
        options = recipe.parse([*map(str, fixed), *given.options])
        survey, problems = refusals.check(options)
        if problems:
            print(*problems, sep="\n", file=sys.stderr)
            return 2
        devices.start()
        pairs, _ = recipe.load(options, survey)
        rows = [row for row in kept.read_rows(ROWS) if row["seed"] != str(seed)]
        for row in compare(options, pairs):
            rows.append(row)
            writing.write_table(ROWS, rows)
            print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
