"""Which layout a dataset has: the first one of `known.LAYOUTS` that fits, what it leaves unread, or what is missing."""

import shlex
from collections import Counter
from pathlib import Path

from segmentation.files import description, images
from segmentation.sources import annotations, contents, known, listing, ordinary, parts

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
                lists = parts.take_lists(layout, place)
                lists += [] if layout.labels or _read_description(layout, place) else _name_classes(layout, place)
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


def _read_description(layout, folder):
    """Take names from a dataset.json that says what labels are; returns whether there is one."""
    file = folder / description.NAME
    named = annotations.look_at_json(file).get("labels") if file.is_file() else None
    if not isinstance(named, dict):
        return False
    masks = [pair.label for pair in layout.pairs if isinstance(pair.label, Path)]
    try:
        channels = description.read_description(folder).channels
        fits = bool(masks and named) and contents.fit_classes(named, masks)
    except ValueError:  # it is of another program
        fits = False
    if not fits:
        layout.leave_out([file], "does not name what labels hold")
        return False
    layout.labels, layout.channels = named, dict(enumerate(channels))
    layout.rules.append(f"Classes are named by {file}.")
    return True


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
        if {parts.find_part(step) for step in place.relative_to(folder).parts} & {"val", "test"}:
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
    if not any(images.find_suffix(file) in images.READERS for file in files):
        missing = f"there is no image in it ({', '.join(images.READERS)})"
    for kinds, fix in OTHERS.items():
        if others := [kind for kind in kinds if counts[kind]]:
            missing += f"; {' and '.join(others)} are not read: {fix}"
    return f"{folder}: its layout is not known. Found: {'; '.join(found)}; {missing}. Wanted:\n{DRAWING}"
