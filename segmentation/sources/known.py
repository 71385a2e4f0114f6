"""Which layout a dataset has, as others distribute it: one small function a layout, all in `LAYOUTS`.

A function takes a folder and returns a `layouts.Layout`, or None if the folder is laid out in another way. To read
a layout of your own, write one and add it to the table; docs/images.md shows how.
"""

import functools
import re
import shlex
from collections import Counter
from pathlib import Path

import numpy as np

from segmentation.files import description, folders, images
from segmentation.sources import annotations, contents, layouts, listing

IMAGES = ("images", "image", "imgs", "img", "input", "inputs", "original", "originals", "raw", "photos")
LABELS = (
    *("masks", "mask", "labels", "label", "lab", "annotations", "gt", "groundtruth", "segmentations", "targets"),
    *("manual", "manual1", "1stmanual", "2ndmanual", "annot"),
)
LISTS = ("train.txt", "val.txt", "valid.txt", "test.txt", "trainval.txt", "codes.txt", "class_dict.csv")
FEWEST_IMAGES = 4  # with as many masks each, that can be no chance
TABLES = ("class_dict.csv", "_classes.csv")
VOID_NAMES = "void|unlabell?ed|unknown|ignored?"
SUFFIXES = ("_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "_manual", "_anno")
TRAINED_ON = {  # of Cityscapes: its numbers of the 19 classes that are scored; all others are void
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
CAMVID = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"),
    "ignore",
)
VOC = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
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
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    place, lacking = folder, None
    while True:
        for look in LAYOUTS:
            layout = look(place)
            if layout and layout.can_be_trained_on():
                tables = [] if layout.labels else _name_classes(layout, place)
                lists = [file for name in LISTS if (file := place / name).is_file() and file not in tables]
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


def _name_classes(layout, folder):
    """Take the names of classes from a table of colours, or of values, that lies with labels; the files it was in."""
    masks = [pair.label for pair in layout.pairs if isinstance(pair.label, Path)]
    for file in sorted(folder.rglob("*.csv")) if masks else []:
        found = annotations.read_classes(file) if file.name in TABLES else {}
        found = contents.fit_classes(found, masks) if found else {}
        if found:
            void = next((name for name in found if re.fullmatch(VOID_NAMES, name.lower())), None)
            layout.labels = {"ignore" if name == void else name: value for name, value in found.items()}
            layout.rules.append(f"Classes have the names of {file}.")
            if void:
                layout.rules.append(f"What is {void} is not labelled.")
            return list(folder.rglob(file.name))
    return []


def is_own(folder):
    """Whether a folder has, at least in part, the layout of this repository."""
    return any((Path(folder) / "train" / name).is_dir() for name in ("image", "label"))


def advise(folder):
    """What to do with a dataset in the layout of others: a sentence, or None for that of this repository."""
    if is_own(folder):
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
        for look in LAYOUTS:
            layout = look(place)
            if layout and layout.can_be_trained_on():
                text = f"in it {place} is laid out as {layout.name}; name that, or several to be merged"
                return f"{folder}: its layout is not known, but {text}."
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
    counts = Counter(images.find_suffix(file) or "without suffix" for file in files)
    found = [f"{count} files {suffix}" for suffix, count in counts.most_common(5)] or ["no files"]
    names = [place.name for place in inside]
    found += [f"folders {', '.join(names[:5])}{' and more' * (len(names) > 5)}"] if names else []
    missing = "which of them are labels cannot be told from their names"
    pictures, truths = (listing.find_folder(folder, kinds) for kinds in (IMAGES, LABELS))
    if pictures and truths and listing.holds_images(pictures):
        missing = f"there is no image in {truths.name} ({', '.join(images.READERS)})"
        if masks := listing.list_files(truths, masks=True):
            one, other = (next(iter(names), "none") for names in (masks, listing.list_files(pictures)))
            missing = f"no label in {truths.name}, such as {one}, has the name of an image, such as {other}"
    if not any(images.find_suffix(file) in images.READERS for file in files):
        missing = f"there is no image in it ({', '.join(images.READERS)})"
    return f"{folder}: its layout is not known. Found: {'; '.join(found)}; {missing}. Wanted:\n{DRAWING}"


def find_own(folder):
    """The layout of this repository."""
    if not is_own(folder):
        return None
    layout = layouts.Layout("the layout of this repository")
    places = {part: listing.find_folder(folder, names) for part, names in listing.PARTS.items()}
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


def find_drive(folder):
    """DRIVE: training/images, training/1st_manual, training/mask; the same in test, or one of the two alone."""
    places = {"train": folder / "training", "test": folder / "test"}
    if (folder / "1st_manual").is_dir():
        places = {"train": folder}
    if not (places["train"] / "1st_manual").is_dir():
        return None
    layout = layouts.Layout("DRIVE (vessels of the retina)", {"background": 0, "vessel": 255})
    layout.rules.append("Labels are those of the first observer (1st_manual).")
    for part, place in places.items():
        files = listing.list_files(place / "images")
        numbers = {stem.split("_")[0]: file for stem, file in listing.list_files(place / "1st_manual").items()}
        observed = {stem: numbers[stem.split("_")[0]] for stem in files if stem.split("_")[0] in numbers}
        layout.add(part, files, observed, contents.read_white)
        layout.leave_out(listing.list_files(place / "2nd_manual").values(), "is of the second observer")
        layout.leave_out(listing.list_files(place / "mask").values(), "is the field of view, which is not used")
    return layout


def find_hrf(folder):
    """HRF: images/01_dr.jpg, manual1/01_dr.tif, mask/01_dr_mask.tif."""
    if not ((folder / "images").is_dir() and (folder / "manual1").is_dir()):
        return None
    layout = layouts.Layout("HRF (vessels of the retina)", {"background": 0, "vessel": 255})
    layout.add("train", folder / "images", folder / "manual1", contents.read_white)
    layout.leave_out(listing.list_files(folder / "mask").values(), "is the field of view, which is not used")
    return layout


def find_chase(folder):
    """CHASE_DB1: Image_01L.jpg, Image_01L_1stHO.png and Image_01L_2ndHO.png in one folder."""
    files = listing.list_here(folder)
    others = {stem: file for stem, file in files.items() if stem.endswith("_2ndHO")}
    found, observed = listing.split_by_suffix(
        {stem: file for stem, file in files.items() if stem not in others}, "_1stHO"
    )
    if not observed:
        return None
    layout = layouts.Layout("CHASE_DB1 (vessels of the retina)", {"background": 0, "vessel": 255})
    layout.rules.append("Labels are those of the first observer (_1stHO).")
    layout.rules.append("There is no split in it: all images are in train/. Left and right eyes are of one child.")
    layout.add("train", found, observed, contents.read_white)
    layout.leave_out(others.values(), "is of the second observer")
    return layout


def find_carvana(folder):
    """Carvana: train/0cdf5b5d0ce1_01.jpg, train_masks/0cdf5b5d0ce1_01_mask.gif, test."""
    if not (folder / "train_masks").is_dir():
        return None
    files = listing.list_files(listing.enter(folder / "train"))
    if not all(re.fullmatch(r"[0-9a-f]{12}_\d\d", stem) for stem in files):
        return None
    layout = layouts.Layout("Carvana (cars)", {"background": 0, "car": 255})
    layout.add("train", files, folder / "train_masks", contents.read_white)
    layout.add("test", folder / "test", {})
    return layout


def find_dsb2018(folder):
    """Data Science Bowl 2018: stage1_train/<id>/images/<id>.png, stage1_train/<id>/masks/<hash>.png, an object each."""
    places = {"train": listing.enter(folder / "stage1_train"), "test": listing.enter(folder / "stage1_test")}
    if not places["train"].is_dir():
        places = {"train": folder}
    layout = layouts.Layout("Data Science Bowl 2018 (nuclei)", {"background": 0, "nucleus": 255})
    layout.rules.append("The objects of an image are one label; a border one pixel wide parts those that touch.")
    unlabelled, others = [], []
    for part, place in places.items():
        for one in listing.list_folders(place) if place.is_dir() else []:
            found = listing.list_files(one / "images")
            if list(found) != [one.name]:
                others.append(one)
                continue
            file, label = found[one.name], None
            if (one / "masks").is_dir():
                label = functools.partial(contents.read_merged, file, list(listing.list_files(one / "masks").values()))
            elif part == "train":
                unlabelled.append(file)
                continue
            layout.pairs.append(layouts.Pair(part, one.name, file, label))
    layout.leave_out(unlabelled, "has no label")
    layout.leave_out(others, "does not hold one image of its name")
    return layout


def find_kvasir(folder):
    """Kvasir-SEG: images/*.jpg and masks/*.jpg of the same names."""
    stems = list(listing.list_files(folder / "images"))
    named = re.search("kvasir[-_ ]?seg|sessile", folder.name.lower())
    named = named or (folder / "kavsir_bboxes.json").is_file()  # its own spelling
    if not stems or not (named or all(re.fullmatch("c[a-z0-9]{24}", stem) for stem in stems)):
        return None
    layout = layouts.Layout("Kvasir-SEG (polyps)", {"background": 0, "polyp": 255})
    layout.rules.append("Masks, which are JPEG, are read at half their range.")
    layout.add("train", folder / "images", folder / "masks", contents.read_white)
    return layout


def find_isic(folder):
    """ISIC: *_Training_Input or *_Training_Data beside *_Training_GroundTruth; or both in one folder."""
    layout = layouts.Layout("ISIC (lesions of the skin)", {"background": 0, "lesion": 255})
    places = [place for place in listing.list_folders(folder) if "isic" in place.name.lower()]
    for place in places:
        matched = re.search(r"(Part[23]B?)?_?(Training|Validation|Test)(_v\d)?_(Input|Data)$", place.name)
        if matched and not matched[1]:  # parts 2 and 3 are other tasks
            named = re.compile(rf"(?<!Part3_)(?<!Part2_){matched[2]}(_v\d)?(_Part1)?_GroundTruth$")
            truth = [other for other in places if named.search(other.name) and "Task3" not in other.name]
            files = listing.list_files(place)
            extra = [file for stem, file in files.items() if stem.endswith("_superpixels")]
            files = {stem: file for stem, file in files.items() if file not in extra}
            part = {"Training": "train", "Validation": "val", "Test": "test"}[matched[2]]
            layout.add(part, files, truth[0] if truth else {}, contents.read_white)
            layout.leave_out(extra, "holds superpixels")
    if not layout.pairs:
        files = {stem: file for stem, file in listing.list_here(folder).items() if stem.startswith("ISIC")}
        layout.add("train", *listing.split_by_suffix(files, "_segmentation"), contents.read_white)
    return layout


def find_camvid(folder):
    """CamVid as SegNet's tutorial has it: train/, trainannot/, val/, valannot/, test/, testannot/."""
    if not (folder / "trainannot").is_dir():
        return None
    layout = layouts.Layout("the layout of SegNet's CamVid, with classes whose names it does not tell")
    if all(re.match("(0001TP|0006R0|0016E5|Seq05VD)_", stem) for stem in listing.list_files(folder / "train")):
        layout = layouts.Layout("SegNet's CamVid (streets)", {name: value for value, name in enumerate(CAMVID)})
        layout.rules.append("The value 11 is void: it is not labelled.")
    for part in listing.PARTS:
        layout.add(part, folder / part, folder / f"{part}annot")
    return layout


def find_voc(folder):
    """Pascal VOC: JPEGImages, SegmentationClass, ImageSets/Segmentation/train.txt and val.txt; or what exports so."""
    places = [folder / name for name in ("SegmentationClassPNG", "SegmentationClass", "SegmentationClassAug")]
    place = next((one for one in places if one.is_dir()), None)
    if not place or not (folder / "JPEGImages").is_dir():
        return None
    layout = layouts.Layout("Pascal VOC (20 kinds of things)")
    layout.labels = {name: value for value, name in enumerate(VOC)} | {"ignore": contents.VOID}
    names, colours = folder / "class_names.txt", folder / "labelmap.txt"
    found, masks = listing.list_files(folder / "JPEGImages"), listing.list_files(place)
    official = any(re.fullmatch(r"\d{4}_\d{6}", stem) for stem in masks)  # many keep their own images so, too
    if names.is_file():
        layout = layouts.Layout("Pascal VOC's layout, with classes of its own (class_names.txt)")
        listed = [name for name in listing.read_lines(names) if name != "__ignore__"]
        layout.labels = {name.strip("_"): value for value, name in enumerate(listed)}
    elif colours.is_file():
        layout = layouts.Layout("Pascal VOC's layout, with colours of its own (labelmap.txt)")
        for line in listing.read_lines(colours):
            if line[0] != "#":
                name, colour = [*line.split(":"), ""][:2]
                if not re.fullmatch(r" *\d+ *, *\d+ *, *\d+ *", colour):
                    raise ValueError(f"{colours}: expected lines such as cell:255,0,0::, found {line!r}.")
                layout.labels[name] = "#" + bytes(map(int, colour.split(","))).hex()
    elif not official:
        layout = layouts.Layout("Pascal VOC's layout, with classes whose names it does not tell")
    if layout.labels.get("ignore") == contents.VOID:
        layout.rules.append("The value 255 is void: it is not labelled.")
    layout.rules.append(f"Labels are those of {place.name}.")
    listed, lists = {}, folder / "ImageSets" / "Segmentation"
    lists = lists if lists.is_dir() else lists.parent
    files = sorted(lists.glob("*.txt")) if lists.is_dir() else []
    for part, names in {"train": ("trn", "default"), "val": (), "test": ("tst",)}.items():
        names = (*listing.PARTS[part], *names)
        lines = [line for file in files if file.stem.lower() in names for line in listing.read_lines(file)]
        listed[part] = [_find_listed(line, found) for line in lines]
    if any(listed.values()):
        layout.rules.append(f"What is in train/ and val/ is read from {lists.relative_to(folder).as_posix()}.")
    else:
        listed["train"] = list(masks)
    for part, stems in listed.items():
        chosen = {stem: found[stem] for stem in stems if stem in found}
        layout.add(part, chosen, {stem: masks[stem] for stem in chosen if stem in masks})
    left_out = set(found) - {pair.stem for pair in layout.pairs}
    layout.leave_out([found[stem] for stem in sorted(left_out)], "is in none of the lists")
    return layout


def _find_listed(line, found):
    """The stem of an image that a line of a list names: by the whole line, which may have spaces, or its first word."""
    for name in (line, line.split()[0]):
        stem = re.sub(r"(?i)\.(jpe?g|png|tiff?|bmp)$", "", re.split(r"[\\/]", name)[-1])
        if stem in found:
            break
    return stem


def find_cityscapes(folder):
    """Cityscapes: leftImg8bit/train/<city>/*_leftImg8bit.png, gtFine/train/<city>/*_gtFine_labelIds.png."""
    places = {}
    for place in [folder, *listing.list_folders(folder)]:  # archives are unpacked into a folder of their own each
        for name in ("leftImg8bit", "gtFine", "gtCoarse"):
            if (place / name).is_dir():
                places.setdefault(name, place / name)
    truth = places.get("gtFine") or places.get("gtCoarse")
    if not truth or "leftImg8bit" not in places:
        return None
    layout = layouts.Layout(
        "Cityscapes (streets)", {name: i for i, name in enumerate(TRAINED_ON)} | {"ignore": contents.VOID}
    )
    layout.rules.append(f"Classes are the 19 that are scored, by the labelIds of {truth.name}; all others are void.")
    layout.rules.append("Cities stay sub-folders: --group-by folder holds out whole cities.")
    table = {value: i for i, value in enumerate(TRAINED_ON.values())}
    read = functools.partial(contents.read_recoded, table=table)
    for part in listing.PARTS:
        found = {
            stem.removesuffix("_leftImg8bit"): file
            for stem, file in listing.list_files(places["leftImg8bit"] / part).items()
        }
        _, masks = listing.split_by_suffix(listing.list_files(truth / part), f"_{truth.name}_labelIds")
        if not masks and part != "test":  # already numbered as the classes are
            _, masks = listing.split_by_suffix(listing.list_files(truth / part), f"_{truth.name}_labelTrainIds")
            read = None
        if part == "test" and masks:
            layout.leave_out(masks.values(), "is of test/, whose labels are not public,")
            masks = {}
        layout.add(part, found, masks, read)
    return layout


def find_stacks(folder):
    """Sections in stacks: train-volume.tif (ISBI 2012), train-input.tif (SNEMI3D), training.tif (EPFL)."""
    files = {stem.lower().replace("_", "-"): file for stem, file in listing.list_here(folder).items()}
    for image, label, test, test_label, inside in (
        ("train-volume", "train-labels", "test-volume", "test-labels", "cell"),
        ("train-input", "train-labels", "test-input", "test-labels", "cell"),
        ("training", "training-groundtruth", "testing", "testing-groundtruth", "mitochondrion"),
    ):
        if image not in files or label not in files:
            continue
        several = contents.look([files[label]])
        numbered = contents.are_numbered(several)
        if several and not numbered:
            raise ValueError(f"{files[label]}: holds more than two values, which do not number objects; write 0, 255.")
        read = functools.partial(contents.read_sections_of_labels, numbered=numbered)
        outside = "membrane" if inside == "cell" else "background"
        layout = layouts.Layout("sections in stacks (ISBI 2012, SNEMI3D, EPFL)", {outside: 0, inside: 255})
        layout.rules.append("A section is a page of a stack.")
        if numbered:
            layout.rules.append("Labels number objects: they become inside, with a border where they touch.")
        for part, one, other in (("train", image, label), ("test", test, test_label)):
            if one in files:
                truth = functools.partial(read, files[other]) if other in files else None
                sections = functools.partial(contents.read_sections, files[one])
                layout.pairs.append(layouts.Pair(part, one, sections, truth))
        return layout
    return None


def find_nnunet(folder):
    """nnU-Net: imagesTr/<case>_0000.*, labelsTr/<case>.*, imagesTs, labelsTs, dataset.json."""
    if not ((folder / "imagesTr").is_dir() and (folder / "labelsTr").is_dir()):
        return None
    layout = layouts.Layout("nnU-Net's raw data")
    if (folder / description.NAME).is_file():
        said = annotations.look_at_json(folder / description.NAME)
        layout.labels = _name_regions(said.get("labels", {}), layout.rules, folder / description.NAME)
        layout.channels = said.get("channel_names") or said.get("modality") or {}
    plain = False  # whether numbers at the end are those of cases, not of channels
    for part, ending in (("train", "Tr"), ("test", "Ts")):
        cases, labelled = {}, listing.list_files(folder / f"labels{ending}")
        found = listing.list_files(folder / f"images{ending}")
        plain = plain or any(stem in labelled for stem in found)
        for stem, file in found.items():
            cases.setdefault(stem if plain else re.sub(r"_\d{4}$", "", stem), []).append(file)
        files = {case: found[0] for case, found in cases.items()}
        layout.add(part, files, labelled)
        joined = {files[case]: found for case, found in cases.items() if len(found) > 1}
        fewer = [case for case, found in cases.items() if len(found) < max(map(len, cases.values()))]
        if fewer:
            raise ValueError(f"{folder}: the case {fewer[0]} lacks a channel that others have; add or remove it.")
        if joined:
            numbers = ", ".join(folders.find_stem(file)[-5:] for file in next(iter(joined.values())))
            layout.rules.append(f"{part}: the files {numbers} of a case are the channels of one image.")
        layout.pairs = [
            layouts.Pair(
                pair.part, pair.stem, functools.partial(contents.join_channels, joined[pair.image]), pair.label
            )
            if pair.image in joined
            else pair
            for pair in layout.pairs
        ]
    known = [f"{kind}{ending}" for kind in ("images", "labels") for ending in ("Tr", "Ts")]
    layout.leave_out([place for place in listing.list_folders(folder) if place.name not in known], "is not known")
    return layout


def _name_regions(named, rules, file):
    """The `labels` of nnU-Net, where a name may stand for several values: each value by all the names that it has."""
    if not isinstance(named, dict):
        raise ValueError(f'{file}: expected "labels": {{"background": 0, "cell": 1}}, found {named!r}.')
    if named and all(str(name).isdecimal() and isinstance(value, str) for name, value in named.items()):
        return {name: int(value) for value, name in named.items()}  # as nnU-Net once wrote them
    if not any(isinstance(value, list) for value in named.values()):
        return named
    rules.append("Regions overlap: each value is a class, with the names of all regions that it is part of.")
    values = {}
    for name, found in named.items():
        for value in found if isinstance(found, list) else [found]:
            values.setdefault(value, []).append(name)
    return {"+".join(names): value for value, names in values.items()}


def find_cellpose(folder):
    """Cellpose: a.tif and a_masks.tif (a_cp_masks.tif, a_img.tif) in one folder, or in train and test."""
    layout = layouts.Layout("Cellpose's data", {"background": 0, "cell": 255})
    layout.rules.append("Labels number objects: they become inside, with a border where they touch.")
    places = {listing.find_part(place.name): place for place in listing.list_folders(folder)}
    places.setdefault("train", folder)
    for part in listing.PARTS:
        place = places.get(part)
        files = {stem.removesuffix("_img"): file for stem, file in (listing.list_here(place) if place else {}).items()}
        made = {stem: file for stem, file in files.items() if re.search("_(flows|cp_output|outlines|seg)$", stem)}
        files = {stem: file for stem, file in files.items() if stem not in made}
        suffix = "_cp_masks" if any(stem.endswith("_cp_masks") for stem in files) else "_masks"
        found, masks = listing.split_by_suffix(files, suffix)
        if part != "test" and masks and not contents.numbers_objects(masks.values()):
            return None
        layout.add(part, found, masks, contents.read_objects)
        layout.leave_out(made.values(), "is made by Cellpose")
    return layout if layout.can_be_trained_on() else None


def find_tracking(folder):
    """Cell Tracking Challenge: 01/t000.tif, 01_ST/SEG/man_seg000.tif (silver) or 01_GT/SEG/man_seg000.tif (gold)."""
    layout = layouts.Layout("the Cell Tracking Challenge", {"background": 0, "cell": 255})
    layout.rules.append("Labels number objects: they become inside, with a border where they touch.")
    layout.rules.append("Sequences stay sub-folders: --group-by folder holds out the last one.")
    for place in listing.list_folders(folder):
        truth = [folder / f"{place.name}_{kind}" / "SEG" for kind in ("ST", "GT")]
        truth = next((found for found in truth if found.is_dir()), None)
        if not re.fullmatch(r"\d\d", place.name) or not truth:
            continue
        kind = "silver" if truth.parent.name.endswith("ST") else "gold"
        layout.rules.append(f"{place.name}: the {kind} labels of {truth.parent.name}/SEG.")
        frames = {stem.removeprefix("t"): file for stem, file in listing.list_files(place).items()}
        labelled = set()
        for stem, file in listing.list_files(truth).items():
            number, _, page = re.sub("^man_seg_?", "", stem).partition("_")
            if number in frames:
                labelled.add(number)
                image = functools.partial(contents.read_page, frames[number], int(page)) if page else frames[number]
                name = f"{place.name}/t{number}" + f"_{page}" * bool(page)
                layout.pairs.append(layouts.Pair("train", name, image, functools.partial(contents.read_objects, file)))
        layout.leave_out([file for number, file in frames.items() if number not in labelled], "has no label")
    return layout


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
    _join_numbered(layout, described.values())
    names = {shape["label"] for said in described.values() for shape in said["shapes"]}
    values = _number_names(layout, sorted(names - {"__ignore__"}))
    if "__ignore__" in names:
        values["__ignore__"] = layout.labels["ignore"] = _choose_void(layout.labels)
    lines, taken = [], set()
    parts = listing.name_parts(file.relative_to(folder).with_suffix("").as_posix() for file in described)
    for file, said in described.items():
        embedded, name = said.pop("imageData", None), re.split(r"[\\/]", said["imagePath"])[-1].lower()
        image = {one.name.lower(): one for place in (file.parent, *_beside(file)) for one in place.iterdir()}.get(name)
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
        part, name = parts.get(stem, ("train", stem))
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


def _join_numbered(layout, described):
    """Give objects one class that are labelled cell1, cell2, ..., each number at most once an image."""
    shapes = [said["shapes"] for said in described]
    numbered = [re.fullmatch(r"(.*?)[ _-]?\d+", one["label"]) for found in shapes for one in found]
    once = all(len({one["label"] for one in found}) == len(found) for found in shapes)
    if not all(numbered) or len({one[1] for one in numbered}) > 1 or not once or max(map(len, shapes)) < 3:
        return
    for one in (one for found in shapes for one in found):
        one["label"] = numbered[0][1] or "object"
    name = numbered[0][1] or "object"
    layout.rules.append(f"Labels such as {numbered[0][0]} number objects, which are all of the class {name}.")


def _beside(file):
    """The folders of images that may lie beside a folder of JSON."""
    return [place for place in listing.list_folders(file.parent.parent) if place.name.lower() in IMAGES]


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
        used += [names[file][number] for number in sorted({one["category_id"] for one in said["annotations"]})]
    values = _number_names(layout, list(dict.fromkeys(used)))
    if any(one.get("iscrowd") for said in described.values() for one in said["annotations"]):
        layout.labels["ignore"] = _choose_void(layout.labels)
        layout.rules.append(f"Crowds become {layout.labels['ignore']}, which is not labelled.")
    found, parts = {}, {}
    for file in listing.walk(folder):
        found.setdefault(file.name.lower(), []).append(file)
    for file, said in described.items():
        part = _name_part(file.relative_to(folder)) if len(described) > 1 else "train"
        if part in parts:
            raise ValueError(f"{folder}: {parts[part].name} and {file.name} may be meant both; remove one of the two.")
        parts[part] = file
        missing, boxed = [], []
        shapes, without, orphans = annotations.sort_coco(said, file)
        layout.leave_out([f"{file}: annotation {one.get('id')}" for one in orphans], "is of no image that is listed")
        drawn = {}
        for number, found_there in shapes.items():
            for one in found_there:
                value = layout.labels["ignore"] if one.get("iscrowd") else values[names[file][one["category_id"]]]
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
        layout.leave_out(missing, "is not there, or more than once,")
        layout.leave_out(boxed, "has an object with a box and no outline")
    return layout


def _choose_image(found, steps, file, part):
    """The image of COCO among those of its name: by its path, beside its JSON, or in a folder of its part; or None."""
    ways = (
        lambda path: path.name == steps[-1],
        lambda path: path.as_posix().lower().endswith("/".join(["", *steps]).lower()),
        lambda path: path.parent == file.parent,
        lambda path: any(_name_part(Path(place)) == part for place in path.parent.parts[-3:]),
    )
    for way in ways:
        if len(found) > 1:
            found = [path for path in found if way(path)] or found
    return found[0] if len(found) == 1 else None


def _name_part(file):
    """Which part a file's path names, its last step that names one: train if none."""
    for step in reversed(Path(file).parts):
        for part, names in listing.PARTS.items():
            if re.search(rf"(?<![a-z])({'|'.join(names)})", step.lower()):
                return part
    return "train"


def find_pets(folder):
    """Oxford-IIIT Pet: images, annotations/trimaps of 1 pet, 2 background and 3 border, trainval.txt, test.txt."""
    truth = folder / "annotations"
    if not ((truth / "trimaps").is_dir() and (folder / "images").is_dir()):
        return None
    layout = layouts.Layout("Oxford-IIIT Pet", {"background": 0, "pet": 1, "ignore": contents.VOID})
    layout.rules.append("What is 2, the background, becomes 0; the border, 3, is not labelled.")
    read = functools.partial(contents.read_recoded, table={1: 1, 2: 0})
    found, masks = listing.list_here(folder / "images"), listing.list_here(truth / "trimaps")
    tested = listing.read_lines(truth / "test.txt") if (truth / "test.txt").is_file() else []
    tested = {line.split()[0] for line in tested}
    for part, held in (("train", False), ("test", True)):
        chosen = {stem: file for stem, file in found.items() if (stem in tested) == held}
        layout.add(part, chosen, {stem: masks[stem] for stem in chosen if stem in masks}, read)
    return layout


def find_folders(folder):
    """Images and labels in two folders, such as images and masks; with train, val and test outside or inside these."""
    layout = layouts.Layout("a folder of images and one of labels")
    pairs, inside = {}, listing.list_folders(folder)
    for part, names in listing.PARTS.items():
        place = listing.find_folder(folder, names)
        both = (listing.find_folder(place, IMAGES), listing.find_folder(place, LABELS)) if place else (None, None)
        if not all(both):  # train and train_labels, or train_images and train_masks
            both = tuple(
                listing.find_folder(folder, [n + k for n in names for k in kinds]) for kinds in (IMAGES, LABELS)
            )
            both = (both[0] or place, both[1])
        pairs[part] = both
    if not any(map(all, pairs.values())):
        found, masks = listing.find_folder(folder, IMAGES), listing.find_folder(folder, LABELS)
        if not found or not masks:
            return None
        pairs = {
            part: (listing.find_folder(found, names), listing.find_folder(masks, names))
            for part, names in listing.PARTS.items()
        }
        if not any(map(all, pairs.values())):
            pairs = {"train": (found, masks), "test": (listing.find_folder(folder, listing.PARTS["test"]), None)}
    parted = not all(pairs.get("val", (None, None))) and not all(pairs["test"])
    for part, (found, masks) in pairs.items():
        if not _add_objects(layout, part, found, masks):
            layout.add(part, found, masks, parted=parted and part == "train")
    named = {place for both in pairs.values() for place in both if place}
    layout.leave_out([place for place in inside if place not in named and not _holds(place, named)], "is not known")
    return layout


def _add_objects(layout, part, image_folder, mask_folder):
    """Add pairs where each object of an image has a mask, as a_0.png and a_1.png of a.png; returns whether it is so."""
    found, masks = (listing.list_files(listing.enter(place)) for place in (image_folder, mask_folder))
    objects = {}
    for stem, file in masks.items():
        matched = re.fullmatch(r"(.+?)[_-]\d+", stem)
        if stem in found or not matched or matched[1] not in found:
            return False
        objects.setdefault(matched[1], []).append(file)
    if max(map(len, objects.values()), default=0) < 2 or not contents.are_objects(list(objects.values())):
        return False
    endings = {tuple(file.stem[len(Path(stem).name) :] for file in files) for stem, files in objects.items()}
    if len(objects) >= FEWEST_IMAGES and len(endings) == 1:
        text = f"each image has masks {', '.join(endings.pop())}; if these are classes, write one label of 0, 1, 2"
        raise ValueError(f"{mask_folder}: {text}; if they are objects, number them in one label, for --objects.")
    layout.rules.append("The objects of an image are one label; a border one pixel wide parts those that touch.")
    layout.labels = {"background": 0, "object": 255}
    for stem, files in objects.items():
        read = functools.partial(contents.read_merged, found[stem], files)
        layout.pairs.append(layouts.Pair(part, stem, found[stem], read))
    layout.leave_out([file for stem, file in found.items() if stem not in objects], "has no label")
    return True


def _holds(place, named):
    """Whether one of some folders lies in a folder."""
    return any(place in other.parents for other in named)


def find_same_names(folder):
    """Images and labels of one name in one folder, or its sub-folders: a.jpg and a.png (Crack500, magnetic tiles)."""
    place = listing.enter(folder)
    photos, masks = {}, {}
    for file in listing.walk(place):
        of_kind = {".jpg": photos, ".jpeg": photos, ".png": masks}.get(images.find_suffix(file))
        if of_kind is None:
            return None
        of_kind[file.relative_to(place).with_suffix("").as_posix()] = file
    if not masks or not masks.keys() <= photos.keys() or not contents.hold_few_values(masks.values()):
        return None
    layout = layouts.Layout("images and labels of one name")
    layout.rules.append("Images are JPEG, their labels PNG.")
    layout.add("train", photos, masks, parted=True)
    return layout


def find_suffixes(folder):
    """Images and labels in one folder, or its sub-folders, where labels have a suffix such as _mask (LGG, BUSI)."""
    files, copies = listing.list_files(listing.enter(folder)), []
    if any(stem.startswith("kaggle_3m/") for stem in files):  # of which Kaggle's archive holds a copy
        copies = [stem for stem in files if stem.startswith("lgg-mri-segmentation/")]
    copied = [files.pop(stem) for stem in copies]
    for stem in [stem for stem in files if stem.endswith("_sat")]:  # as DeepGlobe's images are called
        if f"{stem[:-4]}_mask" in files and f"{stem}_mask" not in files:
            files[stem[:-4]] = files.pop(stem)
    for suffix in SUFFIXES:
        masks = {}
        for stem, file in files.items():
            matched = re.fullmatch(rf"(.*){suffix}(_\d+)?", stem, re.IGNORECASE)
            if matched and matched[1] in files:
                masks.setdefault(matched[1], []).append(file)
        if not masks:
            continue
        if own := [file for found in masks.values() for file in found if contents.is_cellposes(file)]:
            raise ValueError(f"{own[0]}: is Cellpose's own file; save its masks as PNG or TIFF there, and name these.")
        layout = layouts.Layout("images and labels in one folder")
        layout.rules.append(f"Labels have the suffix {suffix}.")
        first = [found[0] for found in masks.values()]
        read = contents.read_objects if suffix in ("_masks", "_anno") and contents.numbers_objects(first) else None
        if read:
            layout.labels = {"background": 0, "object": 255}
            layout.rules.append("Labels number objects: they become inside, with a border where they touch.")
        if all(Path(stem).name.startswith("TCGA_") for stem in masks):
            layout = layouts.Layout("LGG (abnormalities in MR of the brain)", {"background": 0, "abnormality": 255})
            layout.rules.append("Patients stay sub-folders: --group-by folder holds out whole patients.")
            read = contents.read_white
        several = {found[0]: found for found in masks.values() if len(found) > 1}
        if several:
            layout.rules.append(f"Several masks of one image, as of {next(iter(several))}, are joined.")
            if contents.look(file for found in masks.values() for file in found):
                one, other = next(iter(several.values()))[:2]
                text = "are of one image, and labels hold more than two values; keep one of them"
                raise ValueError(f"{one} and {other.name}: {text}.")
        layout.leave_out(copied, "is a copy")
        taken = {file for found in masks.values() for file in found}
        rest = {stem: file for stem, file in files.items() if file not in taken}
        beside = [stem for stem in rest if stem not in masks and _begins_as(stem, masks)]
        layout.leave_out([rest.pop(stem) for stem in beside], "has the name of an image and more")
        truth = {stem: found[0] for stem, found in masks.items()}
        read = functools.partial(_read_several, several=several, read=read) if several else read
        layout.add("train", rest, truth, read, parted=True)
        return layout
    return None


def _begins_as(stem, others):
    """Whether a stem is another one and more, as a_flows is beside a."""
    return any(stem[: found.start()] in others for found in re.finditer("_", stem))


def _read_several(file, several, read):
    """A label, or several of one image joined, as they are or as `read` makes them."""
    if file in several:
        return contents.read_union(several[file])
    return (read or contents.read_white)(file)


LAYOUTS = (
    find_own,
    find_nnunet,
    find_drive,
    find_hrf,
    find_chase,
    find_carvana,
    find_dsb2018,
    find_kvasir,
    find_isic,
    find_camvid,
    find_voc,
    find_cityscapes,
    find_stacks,
    find_tracking,
    find_coco,
    find_labelme,
    find_cellpose,
    find_pets,
    find_same_names,
    find_folders,
    find_suffixes,
)
