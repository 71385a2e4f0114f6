"""Which layout a dataset has: the first one of `known.LAYOUTS` that fits, what it leaves unread, or what is missing."""

import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

from segmentation.files import description, folders, images
from segmentation.sources import annotations, contents, known, listing, ordinary

LISTS = ("trainval.txt", "codes.txt")  # beside those of parts
TABLES = ("class_dict.csv", "_classes.csv")
OTHERS = {  # what may hold labels, or images, and what to do
    (".xml", ".geojson", ".json", ".roi", ".zip", ".txt"): "if labels are in them, export masks or COCO's JSON",
    (".mat", ".npz", ".hdf", ".h5", ".mhd", ".mha", ".nrrd", ".ppm", ".pgm"): "save images and labels as TIFF or PNG",
    (".csv",): "if labels are in them, draw them as masks",
}
DRAWING = """    DIR/train/image/a.png     DIR/train/label/a.png      an image and its label have one name
    DIR/test/c.png            DIR/test/label/c.png       optional"""


def find_layout(folder):
    """The `layouts.Layout` of a folder, or of the one folder inside it.

    Raises
    ------
    ValueError
        If it is none that is known, or could be read in several ways: what was found, and what is missing.
    """
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"{folder}: is a file; name the folder that images and labels are in, unpacked if need be.")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    place, lacking = folder, None
    while True:
        for look in known.LAYOUTS:
            layout = look(place)
            if layout and layout.can_be_trained_on():
                lists = _part_by_lists(layout, place)
                lists += [] if layout.labels else _name_classes(layout, place)
                layout.leave_out([*lists, *layout.list_unread(place)], "is not read")
                return layout
            lacking = lacking or (layout if layout and layout.pairs else None)
        inside = listing.list_folders(place)
        if len(inside) != 1 or any(images.find_suffix(file) in images.READERS for file in place.iterdir()):
            break
        place = inside[0]
    if lacking:
        found = " ".join([f"{lacking.pairs[0].image} is an image of {lacking.pairs[0].part}/.", *lacking.rules])
        raise ValueError(f"{folder}: could be {lacking.name}, but there is no image to train on with a label. {found}")
    raise ValueError(_describe_unknown(folder))


def _part_by_lists(layout, folder):
    """Take from lists such as test.txt which part an image is of, if nothing else has told it; the lists not taken."""
    files = [file for place in (folder, *listing.list_folders(folder)) for file in sorted(place.glob("*.txt"))]
    named = {file: part for file in files if (part := listing.find_part(file.stem))}
    left = [file for file in files if file.parent == folder and (file in named or file.name in LISTS)]
    parted = any(listing.find_part(place.name) for place in listing.list_folders(folder))
    if parted or {pair.part for pair in layout.pairs} != {"train"} or not named:
        return left
    listed = {}
    for file, part in named.items():
        for line in listing.read_lines(file):
            listed.setdefault(Path(line.split()[0].replace("\\", "/")).stem, set()).add(part)
    stems = [_find_listed(pair, listed) for pair in layout.pairs]
    parts = [min(listed.get(stem, ("",))) for stem in stems]
    once = len({*stems}) == len(stems) and all(len(listed.get(stem, ())) == 1 for stem in stems)
    if not once or "train" not in parts or len({*parts}) == 1:
        return left
    layout.pairs = [replace(pair, part=part) for pair, part in zip(layout.pairs, parts, strict=True)]
    layout.rules.append(f"What is in train, val and test is told by {', '.join(file.name for file in named)}.")
    return [file for file in left if file not in named]


def _find_listed(pair, listed):
    """The name by which a list may have an image: that of its file, or the one that it gets."""
    own = folders.find_stem(pair.image) if isinstance(pair.image, Path) else ""
    return own if own in listed else Path(pair.stem).name


def _name_classes(layout, folder):
    """Take the names of classes from a table of colours, or of values, that lies with labels; the tables not taken."""
    masks = [pair.label for pair in layout.pairs if isinstance(pair.label, Path)]
    tables = [file for file in sorted(folder.rglob("*.csv")) if file.name.lower() in TABLES]
    for file in tables if masks else []:
        found = contents.fit_classes(annotations.read_classes(file), masks)
        if found:
            voids = description.find_voids(found)
            void = next((name for name in voids if name.lower() == "ignore"), voids[0] if len(voids) == 1 else None)
            void = void if len(found) > 2 else None
            layout.labels = {"ignore" if name == void else name: value for name, value in found.items()}
            layout.rules.append(f"Classes have the names of {file}.")
            if void:
                layout.rules.append(f"What is {void} is not labelled.")
            return [other for other in tables if other.name != file.name]
    return tables


def advise(folder):
    """What to do with a dataset in the layout of others: a sentence, or None for that of this repository."""
    if ordinary.is_own(folder):
        return None
    try:
        layout = find_layout(folder)
    except ValueError as error:
        return str(error)
    return (
        f"{folder}: is laid out as {layout.name}; "
        f"`python data.py {shlex.quote(str(folder))} --to DIR` brings it into that wanted here."
    )


def _describe_unknown(folder):
    """What is in a folder whose layout is not known, and what is missing."""
    inside = listing.list_folders(folder)
    for place in [*inside, *(below for one in inside for below in listing.list_folders(one))]:
        if {listing.find_part(step) for step in place.relative_to(folder).parts} & {"val", "test"}:
            continue  # alone it would be trained on
        for look in known.LAYOUTS:
            layout = look(place)
            if layout and layout.can_be_trained_on():
                text = f"in it {shlex.quote(str(place))} is laid out as {layout.name}; name that, or several to merge"
                return f"{folder}: its layout is not known, but {text}."
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
    counts = Counter(images.find_suffix(file) or "without suffix" for file in files)
    found = [f"{count} files {suffix}" for suffix, count in counts.most_common(5)] or ["no files"]
    names = [place.name for place in inside]
    found += [f"folders {', '.join(names[:5])}{' and more' * (len(names) > 5)}"] if names else []
    missing = "which of them are labels cannot be told from their names; call the folders images and masks"
    pictures, truths = (listing.find_folder(folder, kinds) for kinds in (ordinary.IMAGES, ordinary.LABELS))
    if pictures and truths and listing.holds_images(pictures):
        missing = f"there is no image in {truths.name} ({', '.join(images.READERS)})"
        if masks := listing.list_files(truths, masks=True):
            one, other = (next(iter(names), "none") for names in (masks, listing.list_files(pictures)))
            missing = f"no label in {truths.name}, such as {one}, has the name of an image, such as {other}"
    for kinds, fix in OTHERS.items():
        if others := [kind for kind in kinds if counts[kind]]:
            missing += f"; {' and '.join(others)} are not read: {fix}"
    if not any(images.find_suffix(file) in images.READERS for file in files):
        missing = f"there is no image in it ({', '.join(images.READERS)})"
    return f"{folder}: its layout is not known. Found: {'; '.join(found)}; {missing}. Wanted:\n{DRAWING}"
