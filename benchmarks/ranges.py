"""Train on raw grey values and on the same images stretched to 8 bits beforehand: is the scaling as good as that?

    python -m benchmarks.ranges --data DIR -- --epochs 3 --steps-per-epoch 100

What follows -- goes to main.py. The stretched images have the range of all training images, from their 0.1st to their
99.9th percentile, on 0 to 255.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import main as recipe
from segmentation.files import dataset, folders, images, scaling, writing
from segmentation.scores import tables
from segmentation.training import runs


def stretch(folder, out):
    """Write a dataset with its images stretched to 8 bits by their common range."""
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("*_predict*"))
    chosen = dataset.survey(folder, rule="dataset").scaling
    for part in ("train/image", "test"):
        for stem, file in folders.find_images(out / part).items():
            scaled = np.clip(scaling.scale(images.read_array(file), chosen), 0, 1)
            file.unlink()
            writing.write_mask(out / part / f"{stem}.png", np.uint8(np.rint(255 * scaled)).squeeze())


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset with labelled test images")
    parser.add_argument("options", nargs="*", help="more options of main.py")
    options = parser.parse_args(argv)
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        raw, stretched = (Path(scratch) / name for name in ("raw", "stretched"))
        shutil.copytree(options.data, raw, ignore=shutil.ignore_patterns("*_predict*"))
        stretch(options.data, stretched)
        for folder in (raw, stretched):
            run = Path(scratch) / "runs" / folder.name
            if recipe.main(["--data", str(folder), "--run", str(run), *options.options]):
                return 2
            rows |= {f"{folder.name}, {part}": scores for part, scores in runs.read_summary(run)["scores"].items()}
    print(tables.format_table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
