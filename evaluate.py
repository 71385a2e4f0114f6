"""Score masks against labels, lay runs side by side, look for wrong labels, or tell what more labels would bring.

    python evaluate.py data/membrane/test data/membrane/test/label    # a row an image, and their mean
    python evaluate.py compare runs/membrane runs/membrane.1          # a picture and a table
    python evaluate.py labels runs/membrane                           # labels that may be wrong
    python evaluate.py more data/membrane                             # what twice as many images would bring

MASKS is a folder of <stem>_predict.png or <stem>.png, LABELS one of labels of the same stems. Each class has its
scores, by the name that dataset.json gives it, of two the rarer one first. Where <stem>_probability.tif lie beside all
masks, the best threshold of the maps is looked for too, as in the ISBI 2012 challenge.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import tifffile
from tqdm import tqdm

from segmentation import arguments
from segmentation.files import classes, folders, labels, writing
from segmentation.scores import doubts, growth, isbi2012, objects, tables
from segmentation.training import refusals, report, runs

SHOWN = 20  # doubtful labels that are drawn and printed


def parse_score(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="evaluate.py compare RUN ... lays runs side by side, evaluate.py labels RUN looks for wrong labels, "
        "evaluate.py more DIR tells what more images would bring; each has its --help.",
    )
    parser.add_argument("masks", type=Path, metavar="MASKS", help="folder of <stem>_predict.png or <stem>.png")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="folder of labels, paired by their names")
    arguments.add_meaning(parser, images=False)
    how = "pixels of an object of a mask; smaller ones are not counted, as predict.py --objects leaves them out"
    parser.add_argument("--smallest", type=arguments.positive, default=1, metavar="PIXELS", help=how)
    return parser.parse_args(argv)


def score(options):
    """Print the scores of each mask of a folder, and their means."""
    masks, label_files, left_out = tables.find_masks(options.masks, options.labels)
    known, notes = tables.find_classes(label_files, masks, options.labels, options.ignore, options.objects)
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        notes.append(f"{left_out[0]}{more}: without a label, not scored.")
    print(*notes, sep="\n", end="\n" * bool(notes))
    rows, known = tables.score_folder(options.masks, options.labels, known)
    print(tables.format_table({**rows, "mean": tables.mean_scores(rows.values())}))
    if known.parted and len(known.values) == 2:
        print(*score_objects(masks, label_files, known, options.smallest), sep="\n")
    maps = {stem: find_map(file) for stem, file in masks.items()}
    if known.parted and len(known.values) == 2 and all(file.is_file() for file in maps.values()):
        older = [file for stem, file in maps.items() if file.stat().st_mtime < masks[stem].stat().st_mtime]
        if older:
            print(f"{older[0]} is older than its mask, and perhaps of another network: maps are not scored.")
            return
        pairs = [pair for stem, file in maps.items() for pair in read_map(file, label_files[stem], known)]
        best = isbi2012.challenge_scores(*zip(*pairs, strict=True))
        print("maps, best threshold: V_rand {v_rand:.4f} at {threshold}, V_info {v_info:.4f}".format(**best), end=", ")
        print(f"pixel error {best['pixel_error']:.4f}")


def score_objects(masks, label_files, known, smallest):
    """The scores by object of masks without those of fewer pixels than `smallest`: lines of text."""
    labelled, found = [], []

    def read():
        for label, mask in tables.read_objects(masks, label_files, known):
            counted = objects.leave_out_specks(mask, smallest) if smallest > 1 else mask
            labelled.append(objects.measure_areas(label))
            found.append(objects.measure_areas(counted))
            yield label, counted

    scores, seg = objects.score_pairs(read())
    lines = [tables.format_table(scores), f"by object, of all images together; SEG {seg:.4f}"]
    usual = objects.find_smallest(labelled)
    if specks := sum(np.count_nonzero(areas < usual) for areas in found):
        text = f"{specks} objects of the masks are smaller than nearly all of the labels', of fewer than {usual} pixels"
        lines.append(f"{text}: --smallest {usual} does not count them.")
    return lines


def find_map(mask):
    """The probabilities that belong to a mask: <stem>_probability.tif beside it."""
    return mask.with_name(f"{mask.stem.removesuffix(folders.PREDICTED)}{folders.PROBABILITY}.tif")


def read_map(file, label_file, known):
    """What is inside by a label, bool, and its probability, 0 where nothing is labelled: list of pairs, one a page."""
    label = classes.classify(labels.read_label(label_file), known)
    probability = tifffile.imread(file)
    probability = probability.reshape(-1, *probability.shape[-2:])
    if probability.shape != label.shape:
        raise ValueError(f"{file}: its shape {probability.shape} is not that of {label_file}, {label.shape}.")
    return list(zip(label == 1, np.where(classes.known(label), probability, 0), strict=True))


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


def parse_more(argv):
    parser = argparse.ArgumentParser(
        prog="evaluate.py more",
        description="Train on an eighth, a quarter, a half and all images, and tell what twice as many would bring.",
        epilog="What follows -- goes to main.py: evaluate.py more DIR -- --steps-per-epoch 60. "
        "Stopped, the same command goes on.",
        formatter_class=arguments.Help,
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="dataset")
    parser.add_argument("--out", type=Path, help="folder for the runs, more.csv and more.png; runs/more/<name of DIR>")
    cut = argv.index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:cut])
    options.options = argv[cut + 1 :]
    return options


def grow(options):
    """Train on some of the images and on all, and print what twice as many would bring."""
    import data
    import main as recipe
    from segmentation import devices, figures

    out = options.out or runs.RUNS / "more" / options.data.resolve().name
    given = recipe.parse(["--data", str(options.data), "--run", str(out), *options.options])
    changed = {"data": given.data != options.data, "run": given.run != out}
    for name in ("data", "run", "folds", "minutes", "resume"):
        if changed.get(name, getattr(given, name)):
            raise ValueError(f"--{name}: is main.py's alone; leave it out.")
    survey, problems = refusals.check(given)
    if not problems:
        devices.start()
        pairs, problems = recipe.load(given, survey)
    if problems:
        raise ValueError("\n".join(problems))
    training, held_out = pairs
    counts, found = growth.choose_counts(len(training.stems)), {}
    for count in counts:
        run = out / str(count)
        chosen = argparse.Namespace(**vars(given) | {"run": run, "resume": runs.is_begun(run)})
        part = data.pick(training, growth.spread(len(training.stems), count))
        print(f"Training on {count} of {counts[-1]} images.")
        rows = train_once(recipe, chosen, part, held_out)
        found[f"{count} images"] = tables.mean_scores(rows.values())
        devices.forget()
    name, _ = report.find_score(found[f"{counts[-1]} images"])
    scores = [row[name] for row in found.values()]
    outlook = growth.foretell(counts, scores, 2 * counts[-1])
    rows = [{"images": count, name: f"{score:.4f}"} for count, score in zip(counts, scores, strict=True)]
    writing.write_table(out / "more.csv", rows)
    figures.save(figures.draw_growth(name, counts, scores, outlook), out / "more.png")
    sentences = [growth.describe(name, counts, scores, outlook), growth.look_back(counts, scores)]
    print(tables.format_table(found), *filter(None, sentences), f"A picture is in {out / 'more.png'}.", sep="\n")


def train_once(recipe, options, training, held_out):
    """The scores of what is held out by a network that is trained now, or has been by the same command."""
    described = recipe.describe_data(training, held_out)
    if options.resume and (problems := runs.find_differences(options.run, vars(options), described)):
        raise ValueError("\n".join([*problems, "Or name another --out."]))
    if not (options.run / tables.SCORES).is_file():
        runs.open_run(options.run, vars(options) | {"resume": True}, trained_on=described)  # which moves nothing aside
        recipe.train(options, training, held_out)
        _, settings, maps = recipe.choose_mask_settings(options, held_out)
        recipe.score_sections(options, held_out, maps, settings)
    return tables.read_scores(options.run / tables.SCORES)


COMMANDS = {"compare": (parse_compare, compare), "labels": (parse_labels, doubt), "more": (parse_more, grow)}


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
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
