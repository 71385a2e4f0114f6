"""Which part an image is of, train, val or test: by its folders, by a word of its name, or by lists."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from segmentation.files import folders, images
from segmentation.sources import listing

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
RARER = {"train": ("trainval",), "val": ("eval", "evaluation"), "test": ("holdout", "heldout", "unseen")}
FILLERS = {  # words beside that of a part
    *("set", "sets", "sorted", "data", "dataset", "images", "image", "imgs", "img", "my", "new", "all"),
    *("list", "lists", "id", "ids", "names", "files", "split", "default", "filenames"),
}
OTHERS = ("codes.txt",)  # that are named, since they are not read
LARGEST = 2**25  # bytes of a list
NAMED = re.compile("image|img|file|name|path|stem|id$", re.IGNORECASE)  # what a column of images is called by
TOLD = "What is in train, val and test is told by"
DEPTH = 3  # folders down to which lists are looked for


def find_folder(folder, part, kinds=("",), rarer=True):
    """The folder that is called by a part, or by it and one of some kinds, as train_images is, or None.

    With `rarer`, by one of `RARER`, too, if there is none of `PARTS`.
    """
    for named in (PARTS, RARER) if rarer else (PARTS,):
        names = [word for name in named[part] for kind in kinds for word in (name + kind, kind + name)]
        if found := listing.find_folder(folder, names):
            return found
    return None


def find_part(name, alone=False):
    """Which part a folder or a list stands for by its name, such as TestSet or val2017; None if for none.

    `alone` are names that stand for it also where nothing else is called train: no numbers, and no other words.
    """
    if alone:
        name = re.sub(r"[ _-]?(sets?|sorted|data|images?|imgs?|\d{4})$", "", name.lower())
        return next((part for part, names in PARTS.items() if name in names), None)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    name = re.sub(r"(sets?|data|images?|imgs?)(?=$|[^a-z])", r" \1", name)  # trainset
    words = [word for word in re.findall(r"[^\W\d_]+", name) if word not in FILLERS and len(word) > 1]
    found = {next((part for part in PARTS if word in PARTS[part] + RARER[part]), None) for word in words}
    if found == {"train", "val"}:
        return "train"
    return found.pop() if len(found) == 1 else None


def name_parts(stems):
    """The part that a folder of each stem names, and the stem without it: dict of stem to (part, str).

    A folder further down than the first one, or by a name that is no part's alone, names a part only where another
    names train: rest and test may be two sessions of each patient. As in GlaS the first word of all stems may do so,
    too, or the last. There is none at all if all are of one part. Where two stems would be the same without the folder,
    all keep it.
    """
    steps = {stem: stem.split("/") for stem in stems}
    named = {stem: [find_part(place) for place in places[:-1]] for stem, places in steps.items()}
    deep = any("train" in parts for parts in named.values())
    words = _find_words([stem for stem, places in steps.items() if len(places) == 1])
    found = {}
    for stem, places in steps.items():
        alone = places[:-1] and find_part(places[0], alone=True)
        number = next((i for i, part in enumerate(named[stem]) if part and (deep or (i == 0 and alone))), None)
        if number is not None:
            found[stem] = named[stem][number], "/".join([*places[:number], *places[number + 1 :]])
        else:
            found[stem] = words.get(stem) or "train", stem
    parts = {part for part, _ in found.values()}
    if "train" not in parts or len(parts) == 1:
        return {}
    if len(set(found.values())) < len(found):
        return {stem: (part, stem) for stem, (part, _) in found.items()}
    return found


def _find_words(stems):
    """The part that the first word of each stem names, or the last, if train is among them: dict of stem to it."""
    for pattern in (r"^[^\W\d_]+", r"[^\W\d_]+$"):
        words = {stem: re.search(pattern, stem) for stem in stems}
        found = {stem: find_part(word[0]) if word else None for stem, word in words.items()}
        if "train" in found.values() and all(found.values()):
            return found
    return {}


def take_lists(layout, folder):
    """Take from lists which part the images of a layout are of, if nothing else has told it.

    A list is a text file, a CSV or a JSON: one a part, such as test.txt, or one in which each image has its part. What
    is in no list is to be trained on if there is none of that, or is left out.

    Returns
    -------
    list of Path
        Those that have told nothing.
    """
    divided = any(find_part(place.name) and listing.holds_images(place) for place in listing.list_folders(folder))
    if divided or {pair.part for pair in layout.pairs} != {"train"}:
        return [file for file in sorted(folder.glob("*.txt")) if find_part(file.stem) or file.name in OTHERS]
    read = dict(_read_lists(folder))
    unread = sorted({*read, *(file for name in OTHERS if (file := folder / name).is_file())})
    stems = {re.sub("[ _-]", "", file.stem.lower()) for file in read}
    if {"train", "trainval"} <= stems:
        read = {file: found for file, found in read.items() if re.sub("[ _-]", "", file.stem.lower()) != "trainval"}
    names = [_list_names(pair) for pair in layout.pairs]
    unique = len({min(one, key=len) for one in names}) == len(names)  # without their folders
    parts, used = [set() for _ in names], []
    for file, candidates in read.items():
        chosen = _choose_column(candidates, names, unique)
        used += [file] * bool(chosen)
        for found, one in zip(parts, names, strict=True):
            found.update(part for part, held in chosen.items() if not one.isdisjoint(held))
    told = Counter(part for found in parts for part in found)
    if any(len(found) > 1 for found in parts) or told.keys() <= {"train"}:
        return unread
    rest = None if told["train"] else "train"
    chosen = {pair.stem: next(iter(found), rest) for pair, found in zip(layout.pairs, parts, strict=True)}
    left_out = [pair.image for pair in layout.pairs if not chosen[pair.stem]]
    if "train" not in chosen.values() or 2 * len(left_out) >= len(names):
        return unread
    layout.leave_out(left_out, "is in none of the lists")
    layout.pairs = [replace(pair, part=chosen[pair.stem]) for pair in layout.pairs if chosen[pair.stem]]
    layout.rules.append(f"{TOLD} {', '.join(file.name for file in used)}.")
    return [file for file in unread if file not in used]


def _choose_column(candidates, names, unique):
    """Of what the columns of a list have, as `_read_lists` gives it, that which names the most images; {} if few.

    `names` are those of each image, as from `_list_names`; if they are `unique` without their folders, these do not
    matter.
    """
    chosen, most = {}, 0
    for candidate in candidates:
        if unique:
            candidate = {part: {name.rpartition("/")[2] for name in held} for part, held in candidate.items()}
        matched = sum(any(not one.isdisjoint(held) for held in candidate.values()) for one in names)
        if matched > most and 2 * matched >= sum(map(len, candidate.values())):
            chosen, most = candidate, matched
    return chosen


def holds_lists(folder):
    """Whether there are lists, as of `take_lists`, in a folder or below it."""
    return next(_read_lists(folder), None) is not None


def _list_names(pair):
    """The names by which a list may have an image: that of its file, and the one that it gets, with its folders."""
    paths = [Path(pair.stem)]
    if isinstance(pair.image, Path):
        paths.append(pair.image.with_name(folders.find_stem(pair.image)))
    return {"/".join(path.parts[-length:]).lower() for path in paths for length in range(1, len(path.parts) + 1)}


def _read_lists(folder, depth=DEPTH):
    """Files that may be lists: tuples of (file, list of dicts), each what one of its columns has, names by part."""
    for file in sorted(folder.iterdir()):
        if file.name[0] == "." or not file.is_file() or file.stat().st_size > LARGEST:
            continue
        reader = {".txt": _read_text, ".csv": _read_table, ".json": _read_json}.get(file.suffix.lower())
        try:
            found = reader(file, find_part(file.stem)) if reader else []
        except (ValueError, csv.Error):  # no text in UTF-8, or no JSON
            continue
        if found:
            yield file, found
    for place in listing.list_folders(folder) if depth else []:
        yield from _read_lists(place, depth - 1)


def _read_text(file, part):
    """The lines of a text file that is called by a part: as wholes, up to a file's suffix, and their first words."""
    lines = listing.read_lines(file) if part else []
    ways = (lambda line: line, lambda line: re.split(r"(?<=\.\w{3})[\s,;]|(?<=\.\w{4})[\s,;]", line, maxsplit=1)[0])
    ways += (lambda line: line.split()[0],)
    return [{part: {_strip(way(line)) for line in lines}} for way in ways] if lines else []


def _strip(name):
    """A path as lists have it, with its folders, without the suffix of an image."""
    name = name.strip().strip("\"'").replace("\\", "/").removeprefix("./").lower()
    suffix = images.find_suffix(Path(name or "."))
    return name.removesuffix(suffix) if suffix in images.READERS else name


def _read_table(file, part):
    """The columns of a CSV: each by the parts that another column has, or by that which the file is called by."""
    with file.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row]
    columns, found = range(min(map(len, rows), default=0)), []
    for told in columns:
        # One by one, since a table may be long, and most columns have no part.
        if len(rows) > 1 and all(find_part(row[told]) for row in rows[1:]) and len({row[told] for row in rows[1:]}) > 1:
            said = rows if find_part(rows[0][told]) else rows[1:]
            for column in set(columns) - {told}:
                held = {}
                for row in said:
                    held.setdefault(find_part(row[told]), set()).add(_strip(row[column]))
                found.append(held)
    if not found and part:
        named = [column for column in columns if NAMED.search(rows[0][column]) or not _are_numbers(rows[1:], column)]
        found = [{part: {_strip(row[column]) for row in rows}} for column in named]
    return found


def _are_numbers(rows, column):
    """Whether a column holds bare numbers, such as those of classes."""
    return all(row[column].strip().isdecimal() for row in rows)


def _read_json(file, _):
    """The names of a JSON of {"train": [...], "test": [...]}."""
    said, held = json.loads(file.read_text(encoding="utf-8-sig")), {}
    for key, names in said.items() if isinstance(said, dict) else ():
        if (part := find_part(key)) and isinstance(names, list) and all(isinstance(name, str) for name in names):
            held.setdefault(part, set()).update(map(_strip, names))
    return [held] if held else []
