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
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "eval", "evaluation"),
    "test": ("test", "testing", "holdout", "heldout", "unseen"),
}
FILLERS = {  # words beside that of a part
    *("set", "sets", "sorted", "data", "dataset", "images", "image", "imgs", "img", "my", "new", "all"),
    *("list", "lists", "id", "ids", "names", "files", "split", "default", "filenames"),
}
OTHERS = ("codes.txt",)  # that are named, since they are not read
LARGEST = 2**25  # bytes of a list
DEPTH = 3  # folders down to which lists are looked for


def find_part(name):
    """Which of `PARTS` a folder or a list stands for by its name, such as TestSet or val2017; None if for none."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    name = re.sub(r"(sets?|data|images?|imgs?)(?=$|[^a-z])", r" \1", name)  # trainset
    words = [word for word in re.findall(r"[^\W\d_]+", name) if word not in FILLERS and len(word) > 1]
    found = {_find_word(word) for word in words}
    if found == {"train", "val"}:
        return "train"
    return found.pop() if len(found) == 1 else None


def _find_word(word):
    return next((part for part, names in PARTS.items() if word in names), None)


def name_parts(stems):
    """The part that a folder of each stem names, and the stem without it: dict of stem to (part, str).

    A folder further down than the first one names a part only where another names train: rest and test may be two
    sessions of each patient. As in GlaS the first word of all stems may do so, too, or the last. A stem that names none
    is train's. There is none at all if all are of one part. Where two stems would be the same without the folder, all
    keep it.
    """
    steps = {stem: stem.split("/") for stem in stems}
    named = {stem: [find_part(place) for place in places[:-1]] for stem, places in steps.items()}
    deep = any("train" in parts for parts in named.values())
    words = _find_words([stem for stem, places in steps.items() if len(places) == 1])
    found = {}
    for stem, places in steps.items():
        number = next((i for i, part in enumerate(named[stem]) if part and (deep or i == 0)), None)
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
        if "train" in found.values():
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
    divided = any(find_part(place.name) for place in listing.list_folders(folder))
    if divided or {pair.part for pair in layout.pairs} != {"train"}:
        return [file for file in sorted(folder.glob("*.txt")) if find_part(file.stem) or file.name in OTHERS]
    lists = dict(_read_lists(folder))
    unread = sorted({file for file, _ in lists} | {file for name in OTHERS if (file := folder / name).is_file()})
    if {"train", "trainval"} <= {file.stem.lower() for file, _ in lists}:
        lists = {key: names for key, names in lists.items() if key[0].stem.lower() != "trainval"}
    parts, used = {}, set()
    for pair in layout.pairs:
        names = _list_names(pair)
        here = {key for key, listed in lists.items() if not names.isdisjoint(listed)}
        parts[pair.stem] = {part for _, part in here}
        used |= here
    told = Counter(part for named in parts.values() for part in named)
    if any(len(named) > 1 for named in parts.values()) or told.keys() <= {"train"}:
        return unread
    rest = None if told["train"] else "train"
    chosen = {stem: next(iter(named), rest) for stem, named in parts.items()}
    if "train" not in chosen.values():
        return unread
    layout.leave_out([pair.image for pair in layout.pairs if not chosen[pair.stem]], "is in none of the lists")
    layout.pairs = [replace(pair, part=chosen[pair.stem]) for pair in layout.pairs if chosen[pair.stem]]
    read = sorted({file for file, _ in used})
    layout.rules.append(f"What is in train, val and test is told by {', '.join(file.name for file in read)}.")
    return [file for file in unread if file not in read]


def holds_lists(folder):
    """Whether there are lists, as of `take_lists`, in a folder or below it."""
    return any(True for _ in _read_lists(folder))


def _list_names(pair):
    """The names by which a list may have an image: that of its file, and the one that it gets, with its folders."""
    paths = [Path(pair.stem)]
    if isinstance(pair.image, Path):
        paths.append(pair.image.with_name(folders.find_stem(pair.image)))
    return {"/".join(path.parts[-length:]).lower() for path in paths for length in range(1, len(path.parts) + 1)}


def _read_lists(folder, depth=DEPTH):
    """The images that lists name: tuples of ((file, part), set of names)."""
    for file in sorted(folder.iterdir()):
        if file.name[0] == "." or not file.is_file() or file.stat().st_size > LARGEST:
            continue
        part, suffix = find_part(file.stem), file.suffix.lower()
        if suffix == ".txt" and part:
            lines = listing.read_lines(file)
            yield (file, part), {_strip(name) for line in lines for name in _cut(line)}
        elif suffix == ".csv":
            yield from _read_table(file, part)
        elif suffix == ".json":
            yield from _read_json(file)
    for place in listing.list_folders(folder) if depth else []:
        yield from _read_lists(place, depth - 1)


def _cut(line):
    """What a line of a list may name: it as a whole, files with their suffixes, which may have spaces, and words."""
    return [line, *re.findall(r"\S.*?\.\w{3,4}(?!\S)", line), *line.split()]


def _strip(name):
    """A path as lists have it, with its folders, without the suffix of an image."""
    name = name.strip().strip("\"'").replace("\\", "/").removeprefix("./").lower()
    suffix = images.find_suffix(Path(name or "."))
    return name.removesuffix(suffix) if suffix in images.READERS else name


def _read_table(file, part):
    """The images of a CSV, all of one part, or of that which one of its columns has."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (UnicodeDecodeError, csv.Error):
        return
    if part:
        yield (file, part), {_strip(cell) for row in rows for cell in row}
        return
    for column in range(min(map(len, rows), default=0)):
        values = [find_part(row[column]) for row in rows[1:]]
        if values and all(values) and len(set(values)) > 1:
            for one in set(values):
                cells = [cell for row, value in zip(rows[1:], values, strict=True) if value == one for cell in row]
                yield (file, one), {_strip(cell) for cell in cells}


def _read_json(file):
    """The images of a JSON of {"train": [...], "test": [...]}."""
    try:
        said = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError):
        return
    for key, names in said.items() if isinstance(said, dict) else ():
        if (part := find_part(key)) and isinstance(names, list) and all(isinstance(name, str) for name in names):
            yield (file, part), {_strip(name) for name in names}
