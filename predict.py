"""Write masks for images by a trained network.

    python predict.py data/membrane/test --out masks
    python predict.py my/images --model runs/mine/model.keras --out masks
    python predict.py volume.zarr --out masks.zarr

INPUT is images or TIFF stacks of any size, or folders of them. For each image <stem>_predict.png is written: 8-bit,
255 where the network sees the higher of two classes, such as a vessel or the inside of a cell, 0 where the other. For a
stack it is <stem>_predict.tif, with the stack's own resolution. A volume, Zarr, HDF5 or a TIFF with --out NAME.zarr,
may be larger than memory.
"""

import argparse
import sys
from pathlib import Path

from segmentation import arguments, extras
from segmentation.files import dataset, folders
from segmentation.prediction import masks, networks, objects, runtimes, watershed
from segmentation.training import runs


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=arguments.Help,
    )
    add = parser.add_argument
    add("input", nargs="+", metavar="INPUT", help="images, TIFF stacks, folders of them, or patterns such as 'a/*.tif'")
    arguments.add_network(parser)
    add("--out", type=Path, help="folder for the masks; that of the first image if none is named")
    add("--threshold", type=arguments.share, default=watershed.THRESHOLD, help="white where the probability is above")
    how = "part cells where membrane is as probable, 1 never; the network's own choice if not given"
    add("--border", type=arguments.share, help=how)
    how = "pixels of the tiles of larger images; if not given, 2560 or less for networks wider than 12"
    add("--tile", type=arguments.positive, help=how)
    how = "average over the flips and rotations that the network was trained on; without, faster and a little worse"
    add("--flips", action=argparse.BooleanOptionalAction, default=True, help=how)
    how = "write <stem>_probability.tif too; of a volume the probabilities in place of the mask"
    add("--probability", action="store_true", help=how)
    how = "write <stem>_uncertainty.tif too: how far the networks of main.py --folds disagree"
    add("--uncertainty", action="store_true", help=how)
    how = "number and measure objects: <stem>_objects.tif and .csv, and <stem>_rois.zip for ImageJ"
    add("--objects", action="store_true", help=how)
    how = "pixels of an object; with --objects, smaller ones are left out; as the labels have them if not given"
    add("--smallest", type=arguments.positive, metavar="PIXELS", help=how)
    add("--axes", help="of a volume, where its file does not name them, or wrongly: letters of tczyx, such as zyx")
    how = "address of a dask.distributed cluster whose workers share a volume, or a folder of images"
    add("--scheduler", metavar="ADDRESS", help=how)
    how = "what computes on a processor: Keras's backend, or OpenVINO, which the extra fast brings"
    add("--runtime", choices=("keras", "openvino"), default="keras", help=how)
    how = "of --runtime openvino; int8 is the fastest, and a little off; float32 if not given"
    add("--precision", choices=runtimes.PRECISIONS, help=how)
    options = parser.parse_args(argv)
    if options.precision and options.runtime == "keras":
        parser.error("--precision: is chosen for --runtime openvino; add that.")
    if options.runtime == "openvino":
        options.precision = options.precision or "float32"
    return options


def prepare(options, model):
    """Convert the network, if it is to be computed by another runtime."""
    if options.precision:
        source = runs.read_arguments(model.parent).get("data")
        runtimes.prepare(model, options.precision, dataset.find_places(source, "train")[0] if source else None)


def predict_volume(options, model, out):
    """Predict a volume: what was written, in words."""
    with extras.needs("volumes"):
        from segmentation.volumes import chunks
        from segmentation.volumes import objects as numbering

    if options.uncertainty:
        raise ValueError("--uncertainty: is written for images, not for volumes; leave it out.")
    if options.objects and options.probability:
        raise ValueError("--objects: are those of a volume's mask; leave out --probability.")
    if len(options.input) > 1:
        raise ValueError(f"{options.input[1]}: a volume is predicted alone.")
    job = chunks.make_job(
        model,
        threshold=options.threshold,
        border=options.border,
        flips=options.flips,
        probability=options.probability,
        precision=options.precision,
    )
    count = chunks.write_volume(
        options.input[0], out, job, tile=options.tile, scheduler=options.scheduler, axes=options.axes
    )
    written = f"{count} chunks written to {out}."
    if options.objects:
        count = numbering.write_objects(options.input[0], out, job, options.smallest, options.axes)
        written += f" {count} objects beside it"
        if not options.smallest and (left_out := objects.describe_smallest(chunks.load(job)[1])):
            written += f"; {left_out}"
        written += "."
    return written


def place_beside(volume):
    """Where the result of a volume goes: beside its file, also if an array in that is named."""
    whole = next((place for place in (volume, *volume.parents) if folders.is_container(place)), volume)
    return whole.with_name(f"{whole.stem}{folders.PREDICTED}.zarr")


def predict_images(options, model):
    """Predict images: what was written, in words, what is wrong with the images that were left out, and warnings."""
    files = folders.find_inputs(options.input)
    request = masks.Request(
        threshold=options.threshold,
        border=options.border,
        flips=options.flips,
        tile=options.tile,
        probability=options.probability,
        uncertainty=options.uncertainty,
        objects=options.objects,
        smallest=options.smallest,
    )
    if options.uncertainty and options.scheduler:
        raise ValueError("--uncertainty: is not shared among workers; leave out --scheduler.")
    first = Path(options.input[0])
    out = options.out or (first if first.is_dir() else next(iter(files.values())).parent)
    if out.is_file():
        raise ValueError(f"--out {out}: is a file; name a folder.")
    out.mkdir(parents=True, exist_ok=True)
    if options.scheduler:
        with extras.needs("volumes"):
            from segmentation.volumes import images

        problems, warnings = images.write_masks(model, files, out, request, options.scheduler, options.precision)
    else:
        network, settings = runtimes.load(model, options.precision)
        if options.uncertainty and len(networks.find_members(network)) == 1:
            raise ValueError(f"{model}: is one network; --uncertainty is how far those of main.py --folds disagree.")
        problems, warnings = masks.write_masks(network, files, out, settings, request)
    return f"{len(files) - len(problems)} masks written to {out}.", problems, warnings + name_others(options.input)


def name_others(inputs):
    """A sentence on the files in folders that were left out, if there are any; in a list."""
    others = [file for folder in map(Path, inputs) if folder.is_dir() for file in folders.find_others(folder)]
    if not others:
        return []
    names = ", ".join(file.name for file in others[:3]) + " and more" * (len(others) > 3)
    return [f"{len(others)} files are no images and were left out: {names}."]


def main(argv=None):
    options = parse(argv)
    model, line = arguments.find_network(options.model)
    print(line, flush=True)
    first, out, problems, warnings = Path(options.input[0]), options.out, [], []
    try:
        prepare(options, model)
        if folders.is_volume(first) or (out and folders.is_volume(out)):
            written = predict_volume(options, model, out or place_beside(first))
        else:
            written, problems, warnings = predict_images(options, model)
    except (ValueError, OSError) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("predict.py: stopped; what was written so far is whole.", file=sys.stderr)
        return 130
    print(*problems, *warnings, sep="\n", file=sys.stderr, end="\n" * bool(problems + warnings))
    print(written)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
