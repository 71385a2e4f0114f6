"""Layouts as public data sets have them, one small function each; all that are known are in `LAYOUTS`.

A function takes a folder and returns a `layouts.Layout`, or None if the folder is laid out in another way. To read
a layout of your own, write one and add it to the table; docs/images.md shows how.
"""

import functools
import re
from dataclasses import replace

from segmentation.files import description, folders
from segmentation.sources import annotations, contents, layouts, listing, ordinary, outlines, parts

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
    if not files or not all(re.fullmatch(r"[0-9a-f]{12}_\d\d", stem) for stem in files):
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
    unlabelled, others, objects = [], [], {}
    for part, place in places.items():
        for one in listing.list_folders(place) if place.is_dir() else []:
            found = listing.list_files(one / "images")
            if list(found) != [one.name]:
                others.append(one)
                continue
            file, label = found[one.name], None
            if (one / "masks").is_dir():
                objects[one.name] = list(listing.list_files(one / "masks").values())
                label = functools.partial(contents.read_merged, file, objects[one.name])
            elif part == "train":
                unlabelled.append(file)
                continue
            layout.pairs.append(layouts.Pair(part, one.name, file, label))
    ordinary.refuse_as_many(folder, objects)
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
    for part in parts.PARTS:
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
    official = any(
        re.fullmatch(r"20(0[7-9]|1[0-2])_\d{6}", stem) for stem in masks
    )  # many keep their own images so, too
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
    lists = next((place for place in (lists, lists.with_name("Main"), lists.parent) if place.is_dir()), lists)
    files = sorted(lists.glob("*.txt")) if lists.is_dir() else []
    for part, names in {"train": ("trn", "default"), "val": (), "test": ("tst",)}.items():
        names = (*parts.PARTS[part], *names)
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
    layout, read = layouts.Layout("the layout of Cityscapes, with classes whose names it does not tell"), None
    if all(
        re.search(r"_\d{6}_\d{6}_", file.name) for file in listing.walk(truth)
    ):  # many keep their own images so, too
        layout = layouts.Layout("Cityscapes (streets)", {name: i for i, name in enumerate(TRAINED_ON)})
        layout.labels["ignore"] = contents.VOID
        layout.rules.append(
            f"Classes are the 19 that are scored, by the labelIds of {truth.name}; all others are void."
        )
        layout.rules.append("Cities stay sub-folders: --group-by folder holds out whole cities.")
        table = {value: i for i, value in enumerate(TRAINED_ON.values())}
        read = functools.partial(contents.read_recoded, table=table)
    for part in parts.PARTS:
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
        named = said.get("channel_names") or said.get("modality") or {}
        layout.channels = {"0": named} if isinstance(named, str) else named
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
        count = len(layout.channels)
        if (
            count > 1
            and files
            and not joined
            and all(file.name.endswith((".nii", ".nii.gz")) for file in files.values())
        ):
            layout.rules.append(f"{part}: the fourth axis of a NIfTI, {count} long, is that of the channels.")
            read = functools.partial(contents.read_fourth_axis, count=count)
            layout.pairs = [
                replace(pair, image=functools.partial(read, pair.image, pair.label)) if pair.part == part else pair
                for pair in layout.pairs
            ]
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
    places = {}
    for place in sorted(listing.list_folders(folder), key=lambda place: len(place.name)):  # train before train_cyto2
        places.setdefault(parts.find_part(place.name), place)
    places.setdefault("train", folder)
    for part in parts.PARTS:
        place = places.get(part)
        files = {stem.removesuffix("_img"): file for stem, file in (listing.list_here(place) if place else {}).items()}
        made = {stem: file for stem, file in files.items() if re.search("_(flows|cp_output|outlines|seg)$", stem)}
        files = {stem: file for stem, file in files.items() if stem not in made}
        suffix = "_cp_masks" if any(stem.endswith("_cp_masks") for stem in files) else "_masks"
        found, masks = listing.split_by_suffix(files, suffix)
        if part != "test" and masks and suffix == "_masks" and not contents.numbers_objects(masks.values()):
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


LAYOUTS = (
    ordinary.find_own,
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
    outlines.find_coco,
    outlines.find_labelme,
    find_cellpose,
    find_pets,
    ordinary.find_same_names,
    ordinary.find_folders,
    ordinary.find_suffixes,
    ordinary.find_samples,
)
