"""Train on a few strokes in place of full labels: how much of the score is left.

    python -m benchmarks.strokes --data DIR -- --epochs 3 --steps-per-epoch 100

Strokes are pieces of the middle lines of each class, three pixels wide, as somebody would draw them, until they have
a share of the pixels, half of it for each class. What follows -- goes to main.py, once for the full labels and once for
the strokes; what is held out, and the test images, are scored by full labels both times.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

import main as recipe
from segmentation.files import classes, dataset, folders, labels, splits, writing
from segmentation.scores import tables
from segmentation.training import runs

PIECE = 15  # pixels, the radius of a piece of a middle line
FRACTION = 0.2


def draw_strokes(label, share, rng):
    """Strokes on a label.

    Parameters
    ----------
    label : bool array (height, width)
    share : float
        Of the pixels that are to be labelled.
    rng : numpy.random.Generator

    Returns
    -------
    uint8 array (height, width)
        0 not labelled, 1 and 2 the classes.
    """
    drawn = np.zeros(label.shape, np.uint8)
    rows, columns = np.indices(label.shape)
    for number, inside in ((1, ~label), (2, label)):
        line = ndimage.binary_dilation(skeletonize(inside), iterations=1) & inside
        places = np.argwhere(line)
        for row, column in rng.permutation(places):
            if np.count_nonzero(drawn == number) >= share / 2 * label.size:
                break
            drawn[line & (np.hypot(rows - row, columns - column) < PIECE)] = number
    return drawn


def write_strokes(folder, share, out):
    """A dataset like that in `folder`, with strokes in train/ and full labels in val/; returns the share that is drawn.

    In `out`/full the same with full labels in train/ too.
    """
    found = dataset.survey(folder)
    training, held_out = splits.split_sections(found, FRACTION)
    shares = []
    for kind in ("full", "strokes"):
        (out / kind).mkdir(parents=True)
        shutil.copytree(folder / "test", out / kind / "test", ignore=shutil.ignore_patterns("*_predict*"))
        for stem, file in folders.find_images(out / kind / "test" / "label").items():  # in the numbers of the strokes
            whole = classes.classify(labels.read_label(file), found.classes)[0]
            file.unlink()
            writing.write_mask(out / kind / "test" / "label" / f"{stem}.png", np.uint8(1 + whole))
        for part, sections in (("train", training), ("val", held_out)):
            for stem, image, label, _ in sections:
                for name, file in (("image", image), ("label", label)):
                    (out / kind / part / name).mkdir(parents=True, exist_ok=True)
                    if name == "image":
                        shutil.copy(file, out / kind / part / name)
                        continue
                    whole = classes.classify(labels.read_label(file), found.classes)[0]
                    drawn = np.uint8(1 + whole)
                    if kind == "strokes" and part == "train":
                        drawn = draw_strokes(whole, share, np.random.default_rng(len(shares)))
                        shares.append(np.mean(drawn > 0))
                    writing.write_mask(out / kind / part / name / f"{stem}.png", drawn)
    return float(np.mean(shares))


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset of two classes with labelled test images")
    parser.add_argument("--share", type=float, default=0.03, help="of the pixels, that is labelled")
    parser.add_argument("options", nargs="*", help="more options of main.py")
    options = parser.parse_args(argv)
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        share = write_strokes(options.data, options.share, Path(scratch))
        for kind in ("full", "strokes"):
            run = Path(scratch) / "runs" / kind
            arguments = ["--data", str(Path(scratch) / kind), "--run", str(run), "--ignore", "0", *options.options]
            if recipe.main(arguments):
                return 2
            rows |= {f"{kind}, {part}": scores for part, scores in runs.read_summary(run)["scores"].items()}
    print(f"{share:.2%} of the pixels are labelled by strokes.")
    print(tables.format_table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
