"""Layouts as anybody has them: two folders, two kinds of files, a suffix; and that of this repository."""

import functools
import itertools
import re
from pathlib import Path

from segmentation.files import description, folders, images
from segmentation.sources import annotations, contents, layouts, listing, parts

IMAGES = ("images", "image", "imgs", "img", "input", "inputs", "original", "originals", "raw", "photos")
LABELS = (
    *("masks", "mask", "labels", "label", "lab", "annotations", "gt", "groundtruth", "segmentations", "targets"),
    *("manual", "manual1", "1stmanual", "2ndmanual", "annot"),
)
RARER = {  # names of folders that are looked for where there is none of these
    IMAGES: ("rawimages", "imagespng", "imagesjpg", "imagestif", "2dimages", "frames", "pictures"),
    LABELS: (
        *("annotation", "gts", "groundtruths", "gtruth", "segmentation", "target", "maskspng", "labelspng"),
        *("2dmasks", "binarymasks"),
    ),
}
SUFFIXES = (  # words at the end of a label's name, after one of "_ .-"
    *("mask", "masks", "label", "labels", "labelled", "labeled", "seg", "segmentation", "Simple Segmentation"),
    *("gt", "manual", "anno", "annotation", "annotations"),
)
# What may stand in an image's name where its label has such a word.
OF_IMAGES = ("_sat", "_rgb", "_image", "_img", "_orig", "_raw")
MADE = re.compile(
    "outline|border|boundar|edge|contour|flow|skeleton|weight|overlay|preview|pred|output|result|vis|viz|colou?r|watershed",
    re.IGNORECASE,
)


def is_own(folder):
    """Whether a folder has, at least in part, the layout of this repository."""
    return any((Path(folder) / "train" / name).is_dir() for name in ("image", "label"))


def find_own(folder):
    """The layout of this repository."""
    if not is_own(folder):
        return None
    layout = layouts.Layout("the layout of this repository")
    places = {part: parts.find_folder(folder, part) for part in parts.PARTS}
    for part, place in places.items():
        if place:
            found, masks = (
                place / own if (place / own).is_dir() else listing.find_folder(place, names)
                for own, names in (("image", IMAGES), ("label", LABELS))
            )
            if part == "test" and not (place / "image").is_dir() and listing.list_here(place):
                found = place
            layout.add(part, found or (place if part == "test" else place / "image"), masks or place / "label")
    others = [place for place in listing.list_folders(folder) if place not in places.values()]
    layout.leave_out(others, "is not known")
    if (folder / description.NAME).is_file():
        said = {name.lower(): value for name, value in annotations.look_at_json(folder / description.NAME).items()}
        layout.labels, layout.channels = said.get("labels", {}), said.get("channel_names", {})
    return layout


def find_folders(folder):
    """Images and labels in two folders, such as images and masks; with train, val and test outside or inside these."""
    layout, parted = layouts.Layout("a folder of images and one of labels"), False
    pairs = _find_outside(folder)
    if not any(map(all, pairs.values())):
        found, masks = _find_kind(folder, IMAGES), _find_kind(folder, LABELS)
        if not found or not masks:
            return None
        pairs, parted = _find_inside(folder, found, masks)
    for part, (found, masks) in pairs.items():
        if not _add_objects(layout, part, found, masks):
            layout.add(part, found, masks, parted=part == "train" and parted)
    named = {place for both in pairs.values() for place in both if place}
    others = [place for place in listing.list_folders(folder) if place not in named and not _holds(place, named)]
    others = [place for place in others if not parts.holds_lists(place)]
    for _, masks in pairs.values():
        _doubt_masks(layout, masks, others)
    layout.leave_out(others, "is not known")
    return layout


def _find_outside(folder):
    """The folders of images and of labels of each part: train/images, train and train_labels, train_images and so on.

    Returns
    -------
    dict of str to (Path or None, Path or None)
    """
    pairs = {}
    for part in parts.PARTS:
        place = parts.find_folder(folder, part)
        both = (_find_kind(place, IMAGES), _find_kind(place, LABELS)) if place else (None, None)
        if not all(both):  # train and train_labels, or train_images and train_masks
            both = tuple(parts.find_folder(folder, part, kinds) for kinds in (IMAGES, LABELS))
            both = (both[0] or place, both[1])
        pairs[part] = both
    if not all(pairs["train"]) and any(map(all, pairs.values())):  # images, masks, test_images, test_masks
        pairs["train"] = _find_kind(folder, IMAGES), _find_kind(folder, LABELS)
    return pairs


def _find_inside(folder, found, masks):
    """As `_find_outside`, where folders of images and of labels hold the parts; and whether stems may have to tell."""
    known = all(parts.find_folder(place, "train") for place in (found, masks))
    pairs = {
        part: tuple(parts.find_folder(place, part, rarer=known) for place in (found, masks)) for part in parts.PARTS
    }
    taken = {place for places in pairs.values() for place in places}
    others = [place for place in listing.list_folders(found) if place not in taken]
    if any(map(all, pairs.values())) and not any(parts.find_part(place.name) for place in others):
        return pairs, False
    return {"train": (found, masks), "test": (parts.find_folder(folder, "test"), None)}, True


def _doubt_masks(layout, masks, others):
    """Say that what may be fields of view is taken for labels; ValueError if one of `others` may hold the labels."""
    if not contents.are_alike(list(listing.list_files(listing.enter(masks), masks=True).values())):
        return
    text = f"{masks}: holds nearly the same image after image, as a field of view does"
    if found := [place.name for place in others if listing.holds_images(place)]:
        names = " or ".join(found)
        fix = f"if labels are in {names}, call that labels, and move {masks.name} away"
        raise ValueError(f"{text}; {fix}; if {masks.name} is right, move {names} away.")
    layout.rules.append(f"{text}: look whether these are labels.")


def _find_kind(folder, kinds):
    """The folder of images, or of labels, by its name; by a rarer one if there is none."""
    return listing.find_folder(folder, kinds) or listing.find_folder(folder, RARER[kinds])


def _add_objects(layout, part, image_folder, mask_folder):
    """Add pairs where each object of an image has a mask; returns whether it is so.

    They are called a_0.png and a_1.png of a.png, or lie in a folder a.
    """
    found, masks = (listing.list_files(listing.enter(place)) for place in (image_folder, mask_folder))
    objects = {}
    for stem, file in masks.items():
        matched = re.fullmatch(r"(.+?)[_-]\d+", stem)
        inside = stem.rpartition("/")[0]
        image = inside if inside in found else matched[1] if matched else None
        if stem in found or image not in found:
            return False
        objects.setdefault(image, []).append(file)
    if max(map(len, objects.values()), default=0) < 2 or not contents.are_objects(list(objects.values())):
        return False
    refuse_as_many(mask_folder, objects)
    layout.rules.append("The objects of an image are one label; a border one pixel wide parts those that touch.")
    layout.labels = {"background": 0, "object": 255}
    for stem, files in objects.items():
        read = functools.partial(contents.read_merged, found[stem], files)
        layout.pairs.append(layouts.Pair(part, stem, found[stem], read))
    layout.leave_out([file for stem, file in found.items() if stem not in objects], "has no label")
    return True


def refuse_as_many(folder, objects):
    """ValueError where each of several images has the same masks, more than one: classes perhaps, or observers.

    `objects` are the files of masks by the stem of their image.
    """
    endings = {tuple(file.stem.removeprefix(Path(stem).name) for file in files) for stem, files in objects.items()}
    if len(objects) < contents.FEWEST or len(endings) > 1 or max(map(len, endings)) < 2:
        return
    text = f"each image has masks {', '.join(endings.pop())}; if these are classes, write one label of 0, 1, 2"
    others = "if they are objects, number them in one label, for --objects; of several observers keep one"
    raise ValueError(f"{folder}: {text}; {others}.")


def _holds(place, named):
    """Whether one of some folders lies in a folder."""
    return any(place in other.parents for other in named)


def find_same_names(folder):
    """Images and labels of one name and two formats in one folder, or its sub-folders (Crack500, magnetic tiles)."""
    place, kinds = listing.enter(folder), {}
    for file in listing.walk(place):
        suffix = images.find_suffix(file).replace(".jpeg", ".jpg").replace(".tiff", ".tif")
        kinds.setdefault(suffix, {})[file.relative_to(place).with_suffix("").as_posix()] = file
    if len(kinds) != 2:
        return None
    for suffix, other in itertools.permutations(sorted(kinds, key=lambda kind: kind != ".png")):
        masks = kinds[suffix]
        photos = {stem: file for stem, file in kinds[other].items() if stem in masks}
        if suffix == ".jpg" or len(photos) < len(masks) or not contents.hold_few_values(masks.values()):
            continue
        if other != ".jpg" and any(
            contents.hold_few_values([file]) for file in list(photos.values())[: contents.LOOKED_AT]
        ):
            continue  # these may be the labels, too
        photos = kinds[other]
        layout = layouts.Layout("images and labels of one name")
        layout.rules.append(f"Images are {other}, their labels {suffix}.")
        layout.add("train", photos, masks, parted=True)
        return layout
    return None


def find_samples(folder):
    """A folder an image, in each of which one file is called image and another mask, or so."""
    layout = layouts.Layout("a folder for each image and its label")
    found, masks = {}, {}
    for stem, file in listing.list_files(listing.enter(folder), masks=True).items():
        place, _, name = stem.rpartition("/")
        for kinds, files in ((IMAGES, found), (LABELS, masks)):
            if place and re.sub("[ _-]", "", name.lower()) in kinds:
                if place in files:
                    raise ValueError(f"{files[place]} and {file.name}: which is meant cannot be known; keep one.")
                files[place] = file
    if not found or not found.keys() & masks.keys():
        return None
    layout.add("train", found, masks, parted=True)
    return layout


def find_suffixes(folder):
    """Images and labels in one folder, or its sub-folders, where labels have a suffix such as _mask (LGG, BUSI)."""
    files, copied = _take_copies(listing.list_files(listing.enter(folder)))
    files = _shorten(files)
    kinds = _drop_cellposes({suffix: found for suffix in SUFFIXES if (found := _find_masks(files, suffix))})
    for one, other in itertools.combinations(kinds.values(), 2):
        for stem in filter(other.__contains__, one):
            names = f"{one[stem][0]} and {other[stem][0].name}"
            raise ValueError(f"{names}: either may be the label of {files[stem].name}; move one kind elsewhere.")
    if not kinds:
        return None
    suffix, masks = next(iter(kinds.items()))
    layout, read = _describe_suffix(suffix, masks)
    if any(len(found) > 1 for found in masks.values()):
        refuse_as_many(folder, masks)
        read = _join(layout, masks)
    layout.leave_out(copied, "is a copy")
    truth, taken = {stem: found[0] for stem, found in masks.items()}, set(itertools.chain(*masks.values()))
    rest = {stem: file for stem, file in files.items() if file not in taken}
    beside = [stem for stem in rest if stem not in masks and _begins_as(stem, masks)]
    if other := _find_rival([files[stem] for stem in beside], list(truth.values())):
        text = f"either {other.name} or this may be the label; move one kind away, and let names of the other"
        raise ValueError(f"{next(iter(truth.values()))}: {text} end with _label.")
    layout.leave_out([rest.pop(stem) for stem in beside], "has the name of an image and more")
    for stem in list(rest):  # a label without an image is no image
        if (named := _name_image(stem, suffix)) and named not in truth and stem not in truth:
            truth[named] = rest.pop(stem)
    layout.add("train", rest, truth, read, parted=True)
    return layout


def _take_copies(files):
    """Files by stem without the copy that Kaggle's archive of LGG holds of them, and that copy, a list."""
    copies = []
    if any(stem.startswith("kaggle_3m/") for stem in files):
        copies = [stem for stem in files if stem.startswith("lgg-mri-segmentation/")]
    return {stem: file for stem, file in files.items() if stem not in copies}, [files[stem] for stem in copies]


def _drop_cellposes(kinds):
    """Kinds of labels, masks by suffix, but for Cellpose's own files; ValueError if there are no others."""
    own = {
        suffix: file
        for suffix, masks in kinds.items()
        for file in itertools.chain(*masks.values())
        if contents.is_cellposes(file)
    }
    if own and own.keys() == kinds.keys():
        file = next(iter(own.values()))
        raise ValueError(f"{file}: is Cellpose's own file; save its masks as PNG or TIFF there, and name these.")
    return {suffix: masks for suffix, masks in kinds.items() if suffix not in own}


def _describe_suffix(suffix, masks):
    """The layout of labels with a suffix, still without pairs, and how they are read, if not as they are."""
    if all(re.match(r"TCGA_[A-Z\d]{2}_[A-Z\d]{4}_\d{8}_\d+$", Path(stem).name) for stem in masks):
        layout = layouts.Layout("LGG (abnormalities in MR of the brain)", {"background": 0, "abnormality": 255})
        layout.rules.append("Patients stay sub-folders: --group-by folder holds out whole patients.")
        return layout, contents.read_white
    layout, first = layouts.Layout("images and labels in one folder"), [found[0] for found in masks.values()]
    named = re.search(rf"[_ .-]{suffix}(?=(_\d+)?(\.ome)?$)", folders.find_stem(first[0]), re.IGNORECASE)[0]
    layout.rules.append(f"Labels have the suffix {named}.")
    if suffix not in ("masks", "anno") or not contents.numbers_objects(first):
        return layout, None
    layout.labels = {"background": 0, "object": 255}
    layout.rules.append("Labels number objects: they become inside, with a border where they touch.")
    return layout, contents.read_objects


def _join(layout, masks):
    """How several masks of one image are read as one label, by the first of them; what is done is said."""
    several = [found for found in masks.values() if len(found) > 1]
    layout.rules.append(f"Several masks of one image, as of {several[0][0]}, are joined.")
    if contents.look(itertools.chain(*masks.values()), every=True):
        text = "are of one image, and labels hold more than two values; keep one of them"
        raise ValueError(f"{several[0][0]} and {several[0][1].name}: {text}.")
    joined = contents.read_union
    if 2 * len(several) > len(masks) and contents.are_objects(several):
        layout.rules.append("They are objects: a border one pixel wide parts those that touch.")
        joined = contents.read_objects_of
    return functools.partial(_read_several, {found[0]: found for found in several}, joined)


def _shorten(files):
    """Files by stem without what stands where their labels have a word, as plant1_rgb has beside plant1_label."""
    plain = {stem.removesuffix(".ome"): file for stem, file in files.items()}
    files = plain if len(plain) == len(files) else files
    lower = {stem.lower() for stem in files}
    for stem in list(files):
        for ending in OF_IMAGES:
            core = stem.removesuffix(ending)
            if core != stem and core not in files and _has_label(core, lower) and not _has_label(stem, lower):
                files[core] = files.pop(stem)
                break
    return files


def _has_label(stem, lower):
    """Whether one of some names in lower case is a stem and such a word."""
    return any(f"{stem}{mark}{suffix}".lower() in lower for suffix in SUFFIXES for mark in "_- .")


def _find_masks(files, suffix):
    """The files whose names are that of another and a word, as a_mask, and a_mask_1, is of a: dict of stem to list."""
    masks, lower = {}, {stem.lower() for stem in files}
    for stem, file in files.items():
        named = _name_image(stem, suffix)
        numbered = re.fullmatch(rf"(.*)[_ .-]{suffix}(_\d+)", stem, re.IGNORECASE)
        if named in files:
            masks.setdefault(named, []).append(file)
        elif numbered and (own := numbered[1] + numbered[2]) in files and not _has_label(own, lower):
            masks.setdefault(own, []).append(file)  # a_mask_1 is of a_1 if that has no label else
        elif numbered and numbered[1] in files:
            masks.setdefault(numbered[1], []).append(file)
    return masks


def _name_image(stem, suffix):
    """The stem of the image that a label's stem names, without its word; "" if it has none."""
    matched = re.fullmatch(rf"(.*)[_ .-]{suffix}", stem, re.IGNORECASE)
    return matched[1] if matched else ""


def _find_rival(beside, first):
    """One of the files beside images and their masks, `first`, that may be labels in place of these; or None."""
    beside = [file for file in beside if not MADE.search(file.stem)]
    if len(beside) < max(2, len(first) / 2) or not (contents.are_alike(first) or contents.hold_few_values(beside)):
        return None
    return beside[0]


def _begins_as(stem, others):
    """Whether a stem is another one and a word more, as a_flows is beside a."""
    return any(stem[: found.start()] in others for found in re.finditer(r"_(?=\D)", stem))


def _read_several(several, joined, file):
    """A label, or several of one image, by the first of them, as `joined` makes one out of them."""
    return joined(several[file]) if file in several else contents.read_white(file)
