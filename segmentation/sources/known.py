"""Which layout a dataset has, as others distribute it: one small function a layout, all in `LAYOUTS`.

A function takes a folder and returns a `layouts.Layout`, or None if the folder is laid out in another way. To read
a layout of your own, write one and add it to the table; docs/images.md shows how.
"""

import functools
import re
from collections import Counter
from pathlib import Path

from segmentation.files import description, folders, images
from segmentation.sources import annotations, contents, layouts, listing

IMAGES = ("images", "image", "imgs", "img", "input", "inputs", "original", "originals", "raw", "photos")
LABELS = ("masks", "mask", "labels", "label", "annotations", "gt", "groundtruth", "segmentations", "targets")
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
    place = folder
    while True:
        for look in LAYOUTS:
            layout = look(place)
            if layout and layout.pairs:
                return layout
        inside = listing.list_folders(place)
        if len(inside) != 1 or any(images.find_suffix(file) in images.READERS for file in place.iterdir()):
            raise ValueError(_describe_unknown(folder))
        place = inside[0]


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
        f"{folder}: is laid out as {layout.name}; `python data.py {folder} --to DIR` brings it into that wanted here."
    )


def _describe_unknown(folder):
    """What is in a folder whose layout is not known, and what is missing."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
    counts = Counter(images.find_suffix(file) or "without suffix" for file in files)
    found = [f"{count} files {suffix}" for suffix, count in counts.most_common(5)] or ["no files"]
    inside = [place.name for place in listing.list_folders(folder)]
    found += [f"folders {', '.join(inside[:5])}{' and more' * (len(inside) > 5)}"] if inside else []
    missing = "which of them are labels cannot be told from their names"
    if not any(images.find_suffix(file) in images.READERS for file in files):
        missing = f"there is no image in it ({', '.join(images.READERS)})"
    return f"{folder}: its layout is not known. Found: {'; '.join(found)}; {missing}. Wanted:\n{DRAWING}"


# Layouts


def find_own(folder):
    """The layout of this repository."""
    if not is_own(folder):
        return None
    layout = layouts.Layout("the layout of this repository")
    for part in layouts.PARTS:
        place = folder / part
        inside = part != "test" or (place / "image").is_dir()
        layout.add(part, place / "image" if inside else place, place / "label")
    if (folder / description.NAME).is_file():
        said = annotations.read_json(folder / description.NAME)
        layout.labels, layout.channels = said.get("labels", {}), said.get("channel_names", {})
    return layout


def find_drive(folder):
    """DRIVE: training/images, training/1st_manual, training/mask; the same in test."""
    if not (folder / "training" / "1st_manual").is_dir():
        return None
    layout = layouts.Layout("DRIVE (vessels of the retina)", {"background": 0, "vessel": 255})
    layout.rules.append("Labels are those of the first observer (1st_manual).")
    for part, place in (("train", folder / "training"), ("test", folder / "test")):
        observed = listing.list_files(place / "1st_manual")
        observed = {stem.replace("manual1", place.name): file for stem, file in observed.items()}
        layout.add(part, listing.list_files(place / "images"), observed, contents.read_white)
        layout.leave_out(listing.list_files(place / "2nd_manual").values(), "is of the second observer")
        layout.leave_out(listing.list_files(place / "mask").values(), "is the field of view, which is not used")
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
    """Carvana: train/*.jpg, train_masks/*_mask.gif, test/*.jpg."""
    if not (folder / "train_masks").is_dir():
        return None
    layout = layouts.Layout("Carvana (cars)", {"background": 0, "car": 255})
    layout.add("train", folder / "train", folder / "train_masks", contents.read_white)
    layout.add("test", folder / "test", {})
    return layout


def find_dsb2018(folder):
    """Data Science Bowl 2018: stage1_train/<id>/images/<id>.png, stage1_train/<id>/masks/<hash>.png, an object each."""
    sets = {"train": folder / "stage1_train", "test": folder / "stage1_test"}
    if not sets["train"].is_dir():
        sets = {"train": folder}
    layout = layouts.Layout("Data Science Bowl 2018 (nuclei)", {"background": 0, "nucleus": 255})
    layout.rules.append("The objects of an image are one label; a border one pixel wide parts those that touch.")
    unlabelled = []
    for part, place in sets.items():
        for one in listing.list_folders(place) if place.is_dir() else []:
            found = list(listing.list_files(one / "images").values())
            if len(found) != 1 or one.name in sum(layouts.PARTS.values(), ()):
                return None
            label = None
            if (one / "masks").is_dir():
                label = functools.partial(
                    contents.read_merged, found[0], list(listing.list_files(one / "masks").values())
                )
            elif part == "train":
                unlabelled += found
                continue
            layout.pairs.append(layouts.Pair(part, one.name, found[0], label))
    layout.leave_out(unlabelled, "has no label")
    return layout


def find_kvasir(folder):
    """Kvasir-SEG: images/*.jpg and masks/*.jpg of the same names."""
    stems = list(listing.list_files(folder / "images"))
    named = "kvasir" in folder.name.lower() or (folder / "kavsir_bboxes.json").is_file()  # its own spelling
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
        matched = re.search(r"(Training|Validation|Test)(_v\d)?_(Input|Data)$", place.name)
        if matched:
            named = re.compile(rf"{matched[1]}(_v\d)?(_Part1)?_GroundTruth$")
            truth = [other for other in places if named.search(other.name)]
            files = listing.list_files(place)
            extra = [file for stem, file in files.items() if stem.endswith("_superpixels")]
            files = {stem: file for stem, file in files.items() if file not in extra}
            part = {"Training": "train", "Validation": "val", "Test": "test"}[matched[1]]
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
    layout = layouts.Layout("SegNet's CamVid (streets)", {name: value for value, name in enumerate(CAMVID)})
    layout.rules.append("The value 11 is void: it is not labelled.")
    for part in layouts.PARTS:
        layout.add(part, folder / part, folder / f"{part}annot")
    return layout


def find_voc(folder):
    """Pascal VOC: JPEGImages, SegmentationClass, ImageSets/Segmentation/train.txt and val.txt."""
    if not ((folder / "JPEGImages").is_dir() and (folder / "SegmentationClass").is_dir()):
        return None
    layout = layouts.Layout(
        "Pascal VOC (20 kinds of things)", {name: value for value, name in enumerate(VOC)} | {"ignore": contents.VOID}
    )
    layout.rules.append("The value 255 is void: it is not labelled. Classes are those of SegmentationClass.")
    found, masks = listing.list_files(folder / "JPEGImages"), listing.list_files(folder / "SegmentationClass")
    listed = {}
    for part in layouts.PARTS:
        file = folder / "ImageSets" / "Segmentation" / f"{part}.txt"
        listed[part] = file.read_text().split() if file.is_file() else []
    if any(listed.values()):
        layout.rules.append("What is in train/ and val/ is read from ImageSets/Segmentation.")
    else:
        listed["train"] = list(masks)
    for part, stems in listed.items():
        chosen = {stem: found[stem] for stem in stems if stem in found}
        layout.add(part, chosen, {stem: masks[stem] for stem in chosen if stem in masks})
    left_out = set(found) - {pair.stem for pair in layout.pairs}
    layout.leave_out([found[stem] for stem in sorted(left_out)], "is in none of the lists")
    return layout


def find_cityscapes(folder):
    """Cityscapes: leftImg8bit/train/<city>/*_leftImg8bit.png, gtFine/train/<city>/*_gtFine_labelIds.png."""
    truth = next((folder / name for name in ("gtFine", "gtCoarse") if (folder / name).is_dir()), None)
    if not truth or not (folder / "leftImg8bit").is_dir():
        return None
    layout = layouts.Layout(
        "Cityscapes (streets)", {name: i for i, name in enumerate(TRAINED_ON)} | {"ignore": contents.VOID}
    )
    layout.rules.append(f"Classes are the 19 that are scored, by the labelIds of {truth.name}; all others are void.")
    layout.rules.append("Cities stay sub-folders: --group-by folder holds out whole cities.")
    table = {value: i for i, value in enumerate(TRAINED_ON.values())}
    read = functools.partial(contents.read_recoded, table=table)
    for part in layouts.PARTS:
        found = {
            stem.removesuffix("_leftImg8bit"): file
            for stem, file in listing.list_files(folder / "leftImg8bit" / part).items()
        }
        _, masks = listing.split_by_suffix(listing.list_files(truth / part), f"_{truth.name}_labelIds")
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
        numbered = contents.numbers_objects([files[label]])
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
        said = annotations.read_json(folder / description.NAME)
        layout.labels = _name_regions(said.get("labels", {}), layout.rules)
        layout.channels = said.get("channel_names") or said.get("modality") or {}
    for part, ending in (("train", "Tr"), ("test", "Ts")):
        cases = {}
        for stem, file in listing.list_files(folder / f"images{ending}").items():
            cases.setdefault(re.sub(r"_\d{4}$", "", stem), []).append(file)
        files = {case: found[0] for case, found in cases.items()}
        layout.add(part, files, listing.list_files(folder / f"labels{ending}"))
        joined = {files[case]: found for case, found in cases.items() if len(found) > 1}
        if joined:
            count = max(map(len, joined.values()))
            layout.rules.append(f"{part}: the files _0000 to _{count - 1:04} of a case are channels of one image.")
        layout.pairs = [
            layouts.Pair(
                pair.part, pair.stem, functools.partial(contents.join_channels, joined[pair.image]), pair.label
            )
            if pair.image in joined
            else pair
            for pair in layout.pairs
        ]
    return layout


def _name_regions(named, rules):
    """The `labels` of nnU-Net, where a name may stand for several values: each value by all the names that it has."""
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
    places = {part: listing.find_folder(folder, names) for part, names in layouts.PARTS.items()}
    if not any(places.values()):
        places = {"train": folder}
    for part, place in places.items():
        files = {stem.removesuffix("_img"): file for stem, file in (listing.list_here(place) if place else {}).items()}
        made = {stem: file for stem, file in files.items() if re.search("_(flows|cp_output|outlines)$", stem)}
        files = {stem: file for stem, file in files.items() if stem not in made}
        suffix = "_cp_masks" if any(stem.endswith("_cp_masks") for stem in files) else "_masks"
        found, masks = listing.split_by_suffix(files, suffix)
        if part != "test" and masks and not contents.numbers_objects(masks.values()):
            return None
        layout.add(part, found, masks, contents.read_objects)
        layout.leave_out(made.values(), "is made by Cellpose")
    return layout


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
    """LabelMe: a.jpg and a.json in one folder."""
    described = {}
    for file in sorted(folder.glob("*.json")):
        said = annotations.read_json(file)
        if isinstance(said, dict) and "shapes" in said and "imagePath" in said:
            described[file] = said
    if not described:
        return None
    layout = layouts.Layout("LabelMe's JSON")
    names = {shape["label"] for said in described.values() for shape in said["shapes"]}
    values = _number_names(layout, sorted(names - {"__ignore__", "_background_"}))
    values["_background_"] = 0
    if "__ignore__" in names:
        values["__ignore__"] = layout.labels["ignore"] = _choose_void(layout.labels)
    lines, files = [], {file.name: file for file in folder.iterdir()}
    for file, said in described.items():
        image = files.get(re.split(r"[\\/]", said["imagePath"])[-1])
        if image is None:
            layout.leave_out([file], f"belongs to {said['imagePath']}, which is not there,")
            continue
        objects = []
        for shape in said["shapes"]:
            outline = annotations.read_outline(shape)
            if outline is None:
                lines.append(f"{file}: a {shape.get('shape_type')}")
            else:
                objects.append((values[shape["label"]], [outline]))
        layout.pairs.append(layouts.Pair("train", folders.find_stem(image), image, contents.draw(objects, image)))
    layout.leave_out(lines, "has no area")
    taken = {pair.image for pair in layout.pairs}
    layout.leave_out([file for file in listing.list_here(folder).values() if file not in taken], "has no outlines")
    return layout


def _number_names(layout, names):
    """Give values to the classes of outlines: 255 for one, 1, 2, ... for several; returns them by name."""
    values = {name: value for value, name in enumerate(names, start=1)} if len(names) > 1 else dict.fromkeys(names, 255)
    layout.labels = {"background": 0} | values
    layout.rules.append("Outlines are filled, later ones over earlier; a border parts objects of a class that touch.")
    return values


def _choose_void(named):
    """The value of what is not labelled: 128 beside 0 and 255, or else 255."""
    return contents.VOID if len(named) > 2 else 128


def find_coco(folder):
    """COCO: a JSON of images, annotations and categories for each part, and the images anywhere below the folder."""
    described = {}
    for file in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        said = annotations.read_json(file)
        if isinstance(said, dict) and {"images", "annotations", "categories"} <= set(said):
            described[file] = said
    described = {file: said for file, said in described.items() if "instances" in file.name} or described
    if not described:
        return None
    layout = layouts.Layout("COCO's JSON")
    used = {one["category_id"] for said in described.values() for one in said["annotations"]}
    categories = {one["id"]: one["name"] for said in described.values() for one in said["categories"]}
    values = _number_names(layout, [categories[number] for number in sorted(used & set(categories))])
    if any(one.get("iscrowd") for said in described.values() for one in said["annotations"]):
        layout.labels["ignore"] = _choose_void(layout.labels)
        layout.rules.append(f"Crowds become {layout.labels['ignore']}, which is not labelled.")
    files, parts = {}, {}
    for file in listing.list_files(folder).values():
        files.setdefault(file.name, []).append(file)
    for file, said in described.items():
        part = _find_part(file.relative_to(folder))
        if part in parts:
            raise ValueError(f"{folder}: {parts[part].name} and {file.name} may be meant both; remove one of the two.")
        parts[part] = file
        drawn = {}
        for one in said["annotations"]:
            value = layout.labels["ignore"] if one.get("iscrowd") else values[categories[one["category_id"]]]
            drawn.setdefault(one["image_id"], []).append((value, one.get("segmentation") or []))
        missing = []
        for one in said["images"]:
            found = files.get(re.split(r"[\\/]", one["file_name"])[-1], [])
            found = [path for path in found if path.as_posix().endswith(f"/{one['file_name']}")] or found
            if len(found) != 1:
                missing.append(f"{file}: {one['file_name']}{' has namesakes' * (len(found) > 1)}")
                continue
            label = contents.draw(drawn.get(one["id"], []), found[0], (one["height"], one["width"]))
            stem = one["file_name"].removesuffix(found[0].suffix)
            layout.pairs.append(layouts.Pair(part, stem, found[0], label))
        layout.leave_out(missing, "is not to be found")
    return layout


def _find_part(file):
    """Which part a file's path names: train if none."""
    for part, names in layouts.PARTS.items():
        if re.search(rf"(?<![a-z])({'|'.join(names)})", str(file).lower()):
            return part
    return "train"


def find_folders(folder):
    """Images and labels in two folders, such as images and masks; with train, val and test outside or inside these."""
    layout = layouts.Layout("a folder of images and one of labels")
    places = {part: listing.find_folder(folder, names) for part, names in layouts.PARTS.items()}
    pairs = {
        part: (listing.find_folder(place, IMAGES), listing.find_folder(place, LABELS))
        for part, place in places.items()
        if place
    }
    if not any(map(all, pairs.values())):
        found, masks = listing.find_folder(folder, IMAGES), listing.find_folder(folder, LABELS)
        if not found or not masks:
            return None
        inside = {
            part: (listing.find_folder(found, names), listing.find_folder(masks, names))
            for part, names in layouts.PARTS.items()
        }
        pairs = inside if any(map(all, inside.values())) else {"train": (found, masks)}
    for part, (found, masks) in pairs.items():
        layout.add(part, found, masks)
    return layout


def find_suffixes(folder):
    """Images and labels in one folder, and its sub-folders, where labels have a suffix such as _mask (LGG)."""
    files = listing.list_files(listing.enter(folder))
    for suffix in ("_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "_manual"):
        found, masks = listing.split_by_suffix(files, suffix)
        if not set(found) & set(masks):
            continue
        layout = layouts.Layout("images and labels in one folder")
        layout.rules.append(f"Labels have the suffix {suffix}.")
        if all(Path(stem).name.startswith("TCGA_") for stem in masks):
            layout = layouts.Layout("LGG (abnormalities in MR of the brain)", {"background": 0, "abnormality": 255})
            layout.rules.append("Patients stay sub-folders: --group-by folder holds out whole patients.")
        layout.add("train", found, masks, contents.read_white if layout.labels else None)
        return layout
    return None


LAYOUTS = (
    find_own,
    find_nnunet,
    find_drive,
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
    find_cellpose,
    find_coco,
    find_labelme,
    find_folders,
    find_suffixes,
)
