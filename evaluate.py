"""Score masks against labels, or lay runs side by side.

    python evaluate.py data/membrane/test data/membrane/test/label    # a row an image, and their mean
    python evaluate.py compare runs/membrane runs/membrane.1          # a picture and a table
    python evaluate.py labels runs/membrane                           # labels that may be wrong

MASKS is a folder of <stem>_predict.png or <stem>.png, LABELS one of labels of the same stems. Each class has its
scores, by the name that dataset.json gives it, of two the rarer one first. Where <stem>_probability.tif lie beside all
masks, the best threshold of the maps is looked for too, as in the ISBI 2012 challenge.
"""

import argparse
import sys
from pathlib import Path

import tifffile
from tqdm import tqdm

from segmentation import arguments
from segmentation.files import classes, folders, labels, writing
from segmentation.scores import doubts, isbi2012, objects, tables
from segmentation.training import runs

SHOWN = 20  # doubtful labels that are drawn and printed


def parse_score(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="evaluate.py compare RUN ... lays runs side by side, evaluate.py labels RUN looks for wrong labels; "
        "each has its --help.",
    )
    parser.add_argument("masks", type=Path, metavar="MASKS", help="folder of <stem>_predict.png or <stem>.png")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="folder of labels, paired by their names")
    arguments.add_meaning(parser, images=False)
    return parser.parse_args(argv)


def score(options):
    """Print the scores of each mask of a folder, and their means."""
    masks, label_files = tables.find_masks(options.masks, options.labels)
    known, notes = tables.find_classes(label_files, masks, options.labels, options.ignore, options.objects)
    print(*notes, sep="\n", end="\n" * bool(notes))
    rows, known = tables.score_folder(options.masks, options.labels, known)
    print(tables.format_table({**rows, "mean": tables.mean_scores(rows.values())}))
    if known.parted and len(known.values) == 2:
        scores, seg = objects.score_pairs(tables.read_objects(masks, label_files, known))
        print(tables.format_table(scores), f"by object, of all images together; SEG {seg:.4f}", sep="\n")
    maps = [find_map(file) for file in masks.values()]
    if known.parted and len(known.values) == 2 and all(file.is_file() for file in maps):
        pages = [classes.classify(labels.read_label(label_files[stem]), known) == 1 for stem in masks]
        inside = [page for stack in pages for page in stack]
        best = isbi2012.challenge_scores(inside, [page for file in maps for page in read_map(file)])
        print("maps, best threshold: V_rand {v_rand:.4f} at {threshold}, V_info {v_info:.4f}".format(**best), end=", ")
        print(f"pixel error {best['pixel_error']:.4f}")


def find_map(mask):
    """The probabilities that belong to a mask: <stem>_probability.tif beside it."""
    return mask.with_name(f"{mask.stem.removesuffix(folders.PREDICTED)}{folders.PROBABILITY}.tif")


def read_map(file):
    """Probabilities of two classes: array (pages, height, width)."""
    probability = tifffile.imread(file)
    return probability.reshape(-1, *probability.shape[-2:])


def parse_compare(argv):
    parser = argparse.ArgumentParser(
        prog="evaluate.py compare",
        description="Draw several runs in one picture, and print their scores in one table.",
        formatter_class=arguments.Help,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--out", type=Path, default=Path("runs/comparison.png"), help="the picture")
    return parser.parse_args(argv)


def compare(options):
    """Draw the curves of runs in one picture, and print their scores."""
    from segmentation import figures  # here, since matplotlib takes half a second to start

    trained = [folder for run in options.runs for folder in runs.list_trainings(run)]
    histories = {str(folder): runs.read_history(folder / "history.csv") for folder in trained}
    for name, rows in histories.items():
        if not rows:
            raise ValueError(f"{name}: no history.csv with a finished epoch there; name folders of runs.")
    figures.save(figures.draw_comparison(histories), options.out)
    scores = {
        f"{run}, {part}": values
        for run in options.runs
        for part, values in runs.read_summary(run).get("scores", {}).items()
    }
    print(tables.format_table(scores))


def parse_labels(argv):
    parser = argparse.ArgumentParser(
        prog="evaluate.py labels",
        description="List places where a network that has not seen a label surely disagrees with it, the worst first.",
        epilog="Of a run with --folds all labels are looked at, of others those that were held out.",
        formatter_class=arguments.Help,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, whose data are where they were")
    how = "folder for doubtful_labels.csv and .png; that of the run if none is named"
    parser.add_argument("--out", type=Path, help=how)
    return parser.parse_args(argv)


def doubt(options):
    """Write a table of doubtful labels, and a picture of the first ones."""
    import data
    from segmentation import devices, figures
    from segmentation.prediction import masks, networks

    devices.start()
    places, agreements, found = [], {}, {}
    for folder in runs.list_trainings(options.run):
        held_out = data.read_held_out(folder)
        network, settings = networks.load_network(folder / "model.keras")
        known = held_out.classes
        each = zip(held_out.stems, held_out.images, held_out.labels, strict=True)
        for stem, image, label in tqdm(each, total=len(held_out.stems), desc=str(folder), unit="image"):
            probability = masks.predict(network, image, turns=settings.turns)
            mask = masks.to_mask(probability, settings)
            places += doubts.find_places(stem, label, probability, known.names)
            agreements[stem] = doubts.agree(label, mask)
            found[stem] = image, label, mask
    unusual = {stem: found[stem][1:] for stem in doubts.find_unusual(agreements)}
    ranked = doubts.rank(places, agreements, unusual)
    if not ranked:
        print(f"None of {len(agreements)} labels is surely disagreed with.")
        return
    out = options.out or options.run
    out.mkdir(parents=True, exist_ok=True)
    writing.write_table(out / "doubtful_labels.csv", [doubts.to_row(i, one) for i, one in enumerate(ranked, start=1)])
    pictures = [(*doubts.cut(*found[one.section], one.box), f"{one.section}: {one.text}") for one in ranked[:SHOWN]]
    figures.save(figures.draw_places(pictures), out / "doubtful_labels.png")
    for number, one in enumerate(ranked[:SHOWN], start=1):
        top, left, bottom, right = one.box
        print(f"{number:3}  {one.section}, rows {top} to {bottom}, columns {left} to {right}: {one.text}")
    print(f"{len(ranked)} places in {len(agreements)} labels are in {out / 'doubtful_labels.csv'}, the first in .png.")


COMMANDS = {"compare": (parse_compare, compare), "labels": (parse_labels, doubt)}


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    named = argv[:1] and argv[0] in COMMANDS
    parse, command = COMMANDS[argv[0]] if named else (parse_score, score)
    options = parse(argv[1:] if named else argv)
    try:
        command(options)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
