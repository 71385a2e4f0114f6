"""Draw the README's pictures anew, of a run and of the first labelled test section of a dataset.

python -m img.draw --run runs/membrane
"""

import argparse
import sys
from pathlib import Path

from segmentation import figures
from segmentation.files import classes, dataset, folders, images, labels, scaling
from segmentation.prediction import masks, networks
from segmentation.scores import tables
from segmentation.training import runs


def draw(folder, run, out):
    """Write section.png, mask.png, overlay.png, curves.png and network.png to `out`."""
    network, settings = networks.load_network(run / "model.keras")
    images_folder, labels_folder = dataset.find_places(folder, "test")
    label_files, image_files = (folders.find_images(place) for place in (labels_folder, images_folder))
    if not label_files:
        raise ValueError(f"{labels_folder}: no labels in this folder.")
    stem = next(iter(label_files))
    pixels = images.read_array(image_files[stem])
    image = scaling.scale(pixels, scaling.fit(settings.scaling, pixels))
    known, _ = tables.find_classes(label_files, {}, labels_folder)
    (label,) = classes.classify(labels.read_label(label_files[stem]), known)
    mask = masks.to_mask(masks.predict(network, image, settings.turns), settings)
    out.mkdir(parents=True, exist_ok=True)
    figures.save_picture(image.squeeze(), out / "section.png")
    figures.save_picture(mask / (len(known.values) - 1), out / "mask.png")
    figures.save_picture(figures.overlay(image, label, mask, figures.find_shown(known)), out / "overlay.png")
    figures.save(figures.draw_curves(runs.read_history(run / "history.csv")), out / "curves.png")
    figures.save(figures.draw_network(network), out / "network.png")


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/membrane"), help="dataset whose test section is shown")
    add("--run", type=Path, default=Path("runs/membrane"), help="run whose network and curves are shown")
    add("--out", type=Path, default=Path("img"), help="folder for the pictures")
    options = parser.parse_args(argv)
    try:
        draw(options.data, options.run, options.out)
    except (ValueError, OSError) as error:
        print(f"draw.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
