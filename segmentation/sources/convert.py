"""Bring datasets that others distribute into the layout of this repository, whole or not at all."""

import json
import shutil
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
from tqdm import tqdm

from segmentation.files import classes, description, images, writing
from segmentation.sources import parts, recognise

PLACES = {  # of the images and the labels of a part
    "train": ("train/image", "train/label"),
    "val": ("val/image", "val/label"),
    "test": ("test", "test/label"),
}
README = "README.txt"


def convert(sources, out):
    """Write the images and labels of one or more datasets to a new folder.

    Parameters
    ----------
    sources : list of Path
        Folders in any layout that `recognise.find_layout` knows. Of several the images keep the name of their folder.
    out : Path
        The new dataset; it gets a dataset.json, if classes or channels are named, and a README.txt.

    Returns
    -------
    str
        What was recognised, and each rule that was applied, in lines of text.

    Raises
    ------
    ValueError
        If a layout is not known, a file cannot be read, or `out` is there already.
    OSError
        If `out` cannot be written. It is then not there.
    """
    sources, out = [Path(source) for source in sources], Path(out)
    out = out if out.name else out.resolve()
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise ValueError(f"{out}: is there already; name a new folder with --to.")
    for source in sources:
        if source.resolve() in (out.resolve(), *out.resolve().parents):
            raise ValueError(f"{out}: lies in {source}, which is left as it is; name another folder with --to.")
    found = {source: recognise.find_layout(source) for source in sources}
    labels, channels = (_merge(found, name) for name in ("labels", "channels"))
    pairs = [
        (f"{source.resolve().name}/{pair.stem}" if len(found) > 1 else pair.stem, pair)
        for source, layout in found.items()
        for pair in layout.pairs
    ]
    for stem, _ in pairs:
        if Path(stem).is_absolute() or {"", ".", ".."} & set(stem.split("/")) or "\\" in stem:
            raise ValueError(f"{sources[0]}: an image would be called {stem}, outside of {out}; rename it first.")
    for (part, stem), count in Counter((pair.part, stem) for stem, pair in pairs).items():
        if count > 1:
            raise ValueError(f"{sources[0]}: {count} images of {part}/ would be called {stem}; rename them first.")
    text = _describe(found, labels)
    with _whole_folder(out) as scratch:
        for stem, pair in tqdm(pairs, desc="Writing", unit="image"):
            images_place, labels_place = PLACES[pair.part]
            _write(pair.image, scratch / images_place / stem, _write_image)
            if pair.label is not None:
                _write(pair.label, scratch / labels_place / stem, _write_label)
        said = {"labels": labels, "channel_names": channels}
        if any(said.values()):
            content = json.dumps({name: value for name, value in said.items() if value}, indent=4)
            (scratch / description.NAME).write_text(content + "\n", encoding="utf-8")
        (scratch / README).write_text(text + "\n", encoding="utf-8")
    return text


def _merge(found, name):
    """The `labels`, or the `channels`, that all layouts share; ValueError if they differ."""
    first, *others = found
    for other in others:
        if getattr(found[first], name) != getattr(found[other], name):
            said = [f"{source} has {getattr(found[source], name) or 'no names'}" for source in (first, other)]
            raise ValueError(
                f"{other}: its {name} are not those of {first} ({'; '.join(said)}); bring each to its own folder."
            )
    return getattr(found[first], name)


def _describe(found, labels):
    """What was recognised, in lines of text."""
    lines = []
    for source, layout in found.items():
        counts = Counter(pair.part for pair in layout.pairs)
        labelled = Counter(pair.part for pair in layout.pairs if pair.label is not None)
        lines.append(f"{source}: {layout.name}.")
        lines += [
            f"- {part}: images {counts[part]}, of which labelled {labelled[part]}." for part in PLACES if counts[part]
        ]
        lines += [f"- {rule}" for rule in layout.rules]
        named = parts.find_part(source.resolve().name)
        if named in ("val", "test") and set(counts) == {"train"}:
            lines.append(f"- Though {source} is called so, all of it is in train/, to be trained on.")
    if labels:
        lines.append("Labels: " + ", ".join(f"{name} {value}" for name, value in labels.items()) + ".")
    return "\n".join(lines)


@contextmanager
def _whole_folder(out):
    """Give a folder beside `out` to write to, which becomes `out` once it is whole; or else nothing is left."""
    scratch = out.with_name(f".unfinished-{out.name}")
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    try:
        scratch.mkdir(parents=True)
        yield scratch
        if out.is_dir():
            out.rmdir()
        scratch.replace(out)
    except OSError as error:
        missing = error.filename if isinstance(error, FileNotFoundError | PermissionError) else None
        missing = None if missing and scratch in (Path(missing), *Path(missing).parents) else missing
        raise OSError(error.errno, error.strerror or str(error), str(missing or out)) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write(content, path, write):
    """Copy a file to a path, whose suffix it keeps, or make an array and write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(content):
        write(path, content())
    else:
        shutil.copyfile(content, path.with_name(path.name + images.find_suffix(content)))


def _write_label(path, pages):
    """Write a label, integers (pages, height, width), as PNG or, of several pages, as TIFF."""
    pages = pages.astype(classes.mask_dtype([pages.max()]))
    if len(pages) == 1:
        writing.write_mask(path.with_name(f"{path.name}.png"), pages[0])
    else:
        tifffile.imwrite(
            path.with_name(f"{path.name}.tif"),
            pages,
            photometric="minisblack",
            compression="zlib",
            metadata={"axes": "ZYX"},
        )


def _write_image(path, pages):
    """Write an image, (pages, height, width) or (pages, height, width, channels), as TIFF with its axes."""
    axes = "ZYX" if pages.ndim == 3 else "ZYXC"
    if len(pages) == 1:
        pages, axes = pages[0], axes[1:]
    tifffile.imwrite(
        path.with_name(f"{path.name}.tif"),
        np.ascontiguousarray(pages),
        photometric="minisblack",
        compression="zlib",
        metadata={"axes": axes},
    )
