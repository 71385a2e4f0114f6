"""Layouts of outlines in JSON, as LabelMe and COCO have them, beside their images."""

import functools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from segmentation.files import folders
from segmentation.sources import annotations, contents, layouts, listing, ordinary, parts


def find_labelme(folder):
    """LabelMe: a.jpg and a.json in one folder, or in one of train, val and test."""
    described = {}
    for file in listing.list_json(folder):
        said = annotations.look_at_json(file)
        if isinstance(said.get("shapes"), list) and "imagePath" in said:
            described[file] = said
    if not described:
        return None
    for file, said in described.items():
        if not isinstance(said["imagePath"], str) or not all(map(annotations.is_labelmes, said["shapes"])):
            text = "one of its shapes has no label, or no points that are numbers, or it names no image; correct it"
            raise ValueError(f"{file}: {text}.")
    layout = layouts.Layout("LabelMe's JSON")
    _hint_at_numbers(layout, described.values())
    names = {shape["label"] for said in described.values() for shape in said["shapes"]}
    values = _number_names(layout, sorted(names - {"__ignore__"}))
    if "__ignore__" in names:
        values["__ignore__"] = layout.labels["ignore"] = _choose_void(layout.labels)
    lines, taken, lying = [], set(), {}
    divided = parts.name_parts(file.relative_to(folder).with_suffix("").as_posix() for file in described)
    for file, said in described.items():
        embedded, name = said.pop("imageData", None), re.split(r"[\\/]", said["imagePath"])[-1].lower()
        if file.parent not in lying:
            places = (file.parent, *_beside(file))
            lying[file.parent] = {one.name.lower(): one for place in places for one in place.iterdir()}
        image = lying[file.parent].get(name)
        if image is None and not embedded:
            layout.leave_out([file], f"belongs to {said['imagePath']}, which is not there,")
            continue
        objects = []
        for shape in said["shapes"]:
            found = _decode(annotations.read_shape, shape, file)
            if found is None:
                lines.append(f"{file}: a {shape.get('shape_type')}")
            else:
                objects.append((values[shape["label"]], found))
        if image is None:
            pixels = _decode(annotations.read_embedded, embedded, file)
            image, size = functools.partial(np.expand_dims, pixels, 0), pixels.shape[:2]
            label = contents.draw(objects, file, size)
        else:
            taken.add(image)
            drawn_on = (said.get("imageHeight"), said.get("imageWidth"))
            label = contents.draw(objects, image, drawn_on=drawn_on if all(drawn_on) else None)
        stem = file.relative_to(folder).with_suffix("").as_posix()
        part, name = divided.get(stem, ("train", stem))
        layout.pairs.append(layouts.Pair(part, name, image, label))
    layout.leave_out(lines, "has no area")
    left_out = [file for file in listing.list_here(folder).values() if file not in taken]
    layout.leave_out(left_out, "has no outlines")
    return layout


def _decode(read, content, file):
    """What JSON holds as text, or ValueError with the name of its file."""
    try:
        return read(content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}.") from None


def _hint_at_numbers(layout, described):
    """Say so where labels such as cell1, cell2, ... may number objects; they may also be layers, or teeth."""
    labels = [one["label"] for said in described for one in said["shapes"]]
    numbered = [re.fullmatch(r"(.*?)[ _-]?\d+", label) for label in labels]
    if all(numbered) and len(set(labels)) > 2 and len({one[1] for one in numbered}) == 1:
        text = "are read as classes; if they number objects, call all of them by one name"
        layout.rules.append(f"Labels such as {labels[0]} {text}.")


def _beside(file):
    """The folders of images that may lie beside a folder of JSON."""
    return [place for place in listing.list_folders(file.parent.parent) if place.name.lower() in ordinary.IMAGES]


def _number_names(layout, names):
    """Give values to the classes of outlines: 255 for one, 1, 2, ... for several; returns them by name.

    What is called background is 0.
    """
    ground = [name for name in names if name.strip("_").lower() == "background"]
    names = [name for name in names if name not in ground]
    values = {name: value for value, name in enumerate(names, start=1)} if len(names) > 1 else dict.fromkeys(names, 255)
    layout.labels = {"background": 0} | values
    layout.rules.append("Outlines are filled, later ones over earlier; a border parts objects of a class that touch.")
    return values | dict.fromkeys(ground, 0)


def _find_painted(layout, described, names):
    """The classes most of whose annotations are crowds: there a program marks so what was painted, not outlined.

    The crowds of others are not labelled.
    """
    counts = {True: Counter(), False: Counter()}
    for file, said in described.items():
        for one in said["annotations"]:
            counts[bool(one.get("iscrowd"))][names[file][one["category_id"]]] += 1
    crowds, others = counts[True], counts[False]
    painted = {name for name in crowds if crowds[name] > others[name]}
    if painted:
        text = f"{', '.join(sorted(painted))}: most are marked as crowds, as programs mark what is painted"
        layout.rules.append(f"{text}; they are read as objects.")
    if left := sum(crowds[name] for name in crowds.keys() - painted):
        layout.labels["ignore"] = _choose_void(layout.labels)
        value = layout.labels["ignore"]
        layout.rules.append(
            f"Crowds become {value}, which is not labelled: {left} of {crowds.total() + others.total()}."
        )
    return painted


def _choose_void(named):
    """The value of what is not labelled: 128 beside 0 and 255, or else 255."""
    return contents.VOID if len(named) > 2 else 128


def find_coco(folder):
    """COCO: a JSON of images, annotations and categories for each part, and the images anywhere below the folder."""
    files = listing.list_json(folder)
    described = {}
    for file in [file for file in files if "instances" in file.name] or files:
        said = annotations.look_at_json(file)
        is_coco = {"images", "annotations", "categories"} <= set(said) and isinstance(said["images"], list)
        if is_coco and "panoptic" not in file.name:
            if isinstance(said["annotations"], dict):  # as LIVECell numbers them
                said["annotations"] = list(said["annotations"].values())
            annotations.check_coco(said, file)
            described[file] = said
    if not described:
        return None
    layout = layouts.Layout("COCO's JSON")
    names, used = {}, []  # a category has another number in each file, perhaps
    for file, said in described.items():
        names[file] = {one["id"]: one["name"] for one in said["categories"]}
        used += [names[file][number] for number in sorted({one["category_id"] for one in said["annotations"]}, key=str)]
    values = _number_names(layout, list(dict.fromkeys(used)))
    painted = _find_painted(layout, described, names)
    found, taken = {}, {}
    for file in listing.walk(folder):
        found.setdefault(file.name.lower(), []).append(file)
    for file, said in described.items():
        part = (_name_part(file.relative_to(folder)) if len(described) > 1 else None) or "train"
        if part in taken:
            raise ValueError(f"{folder}: {taken[part].name} and {file.name} may be meant both; remove one of the two.")
        taken[part] = file
        missing, boxed = [], []
        shapes, without, orphans = annotations.sort_coco(said, file)
        layout.leave_out([f"{file}: annotation {one.get('id')}" for one in orphans], "is of no image that is listed")
        drawn = {}
        for number, found_there in shapes.items():
            for one in found_there:
                name = names[file][one["category_id"]]
                crowd = one.get("iscrowd") and name not in painted
                value = layout.labels["ignore"] if crowd else values[name]
                drawn.setdefault(number, []).append((value, one["segmentation"]))
        for one in said["images"]:
            if str(one["id"]) in without:
                boxed.append(f"{file}: {one['file_name']}")
                continue
            steps = [step for step in re.split(r"[\\/]", one["file_name"]) if step not in ("", ".", "..")]
            image = _choose_image(found.get(steps[-1].lower(), []), steps, file, part)
            if image is None:
                missing.append(f"{file}: {one['file_name']}")
                continue
            inside = "/".join(steps[:-1]) if "/".join(steps) == one["file_name"] and ":" not in steps[0] else ""
            label = contents.draw(drawn.get(str(one["id"]), []), image, (one["height"], one["width"]))
            stem = f"{inside}/{folders.find_stem(image)}".removeprefix("/")
            layout.pairs.append(layouts.Pair(part, stem, image, label))
        if len(described) == 1 and (divided := parts.name_parts(pair.stem for pair in layout.pairs)):
            layout.pairs = [replace(p, part=divided[p.stem][0], stem=divided[p.stem][1]) for p in layout.pairs]
            layout.rules.append(f"{parts.TOLD} folders, or words, of their names.")
        layout.leave_out(missing, "is not there, or more than once,")
        layout.leave_out(boxed, "has an object with a box and no outline")
    return layout


def _choose_image(found, steps, file, part):
    """The image of COCO among those of its name: by its path, beside its JSON, or in a folder of its part; or None."""
    ways = (
        lambda path: path.name == steps[-1],
        lambda path: path.as_posix().lower().endswith("/".join(["", *steps]).lower()),
        lambda path: path.parent == file.parent,
        lambda path: _name_part(path.parent) == part,
    )
    for way in ways:
        if len(found) > 1:
            found = [path for path in found if way(path)] or found
    return found[0] if len(found) == 1 else None


def _name_part(file):
    """Which part a file's path names, by its last step that names one; None if none does."""
    for step in reversed(Path(file).parts):
        for part, names in parts.PARTS.items():
            if re.search(rf"(?<![a-z])({'|'.join(names)})", step.lower()):
                return part
    return None
