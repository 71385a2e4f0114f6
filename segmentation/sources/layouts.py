"""What a dataset in the layout of others consists of: pairs of images and labels, and what was taken for what."""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from segmentation.files import folders, pairing
from segmentation.sources import listing, parts

NAMED = 3  # files that are left out like the first one, of many


@dataclass(frozen=True)
class Pair:
    """An image and its label, where they lie.

    `part` is train, val or test, `stem` the name that both get. `image` and `label` are files that are taken as they
    are, or functions without arguments that make an array of pages; `label` is None for an image of test/ without one.
    """

    part: str
    stem: str
    image: object
    label: object = None


@dataclass
class Layout:
    """What was recognised: its `name`, the `labels` and `channels` of its dataset.json, and its `pairs`.

    `rules` are sentences on what was taken for what, and on what was left out; `named` are the files and folders of
    which they tell that.
    """

    name: str
    labels: dict = field(default_factory=dict)
    channels: dict = field(default_factory=dict)
    pairs: list = field(default_factory=list)
    rules: list = field(default_factory=list)
    named: set = field(default_factory=set)

    def add(self, part, image_files, label_files, read=None, parted=False):
        """Add the pairs of images and labels, whose names need not be equal.

        Parameters
        ----------
        part : str
            train, val or test; images of train and val without a label are left out.
        image_files, label_files : folders, or dicts of stem to Path
            A folder that is not there holds none.
        read : callable or None
            What makes a label out of its file: integers (pages, height, width); None to take the file as it is.
        parted : bool
            Whether a folder in the name of an image may say which part it is of, in place of `part`.
        """
        image_files, label_files = (
            files if isinstance(files, dict) else listing.list_files(listing.enter(files), masks)
            for files, masks in ((image_files, False), (label_files, True))
        )
        paired = pairing.pair(image_files, label_files)
        if paired.unlabelled and paired.orphans and (shifted := pairing.find_shift(image_files, label_files)):
            image, label = image_files[shifted[0]], label_files[shifted[1]]
            text = "are numbered otherwise, so that which belong together cannot be known"
            raise ValueError(f"{image} and {label.name}: images and labels {text}; give both the same numbers.")
        if again := _find_second_kind(paired):
            orphan, stem = again
            label = label_files[paired.labels[stem]]
            text = f"fits {image_files[stem].name}, as {label.name} does"
            raise ValueError(f"{label_files[orphan]}: {text}; keep one kind of labels there, and move the other away.")
        if paired.rule:
            self.rules.append(f"{part}: {paired.rule}.")
        named, unlabelled = parts.name_parts(image_files) if parted else {}, []
        for stem, file in image_files.items():
            label, (own, name) = label_files.get(paired.labels.get(stem)), named.get(stem, (part, stem))
            if label or own == "test":
                self.pairs.append(Pair(own, name, file, functools.partial(read, label) if read and label else label))
            else:
                unlabelled.append(file)
        if named:
            self.rules.append(f"{parts.TOLD} folders, or words, of their names.")
        self.leave_out(unlabelled, "has no label")
        self.leave_out([label_files[stem] for stem in paired.orphans], "has no image")

    def leave_out(self, files, reason):
        """Say that files are left out, of many the first ones by their names."""
        files = list(files)
        self.named.update(file for file in files if isinstance(file, Path))
        if files:
            names = ["/".join(f.parts[-2:]) if isinstance(f, Path) else f for f in files[1 : 1 + NAMED]]
            more = f" and {len(files) - 1 - NAMED} more" if len(files) > 1 + NAMED else ""
            others = f", like {', '.join(names)}{more}" if names else ""
            self.rules.append(f"{files[0]} {reason} and is left out{others}.")

    def list_unread(self, folder):
        """The images in a folder that are in no pair, and of which no rule tells why: list of Path, in order."""
        read = {file for pair in self.pairs for content in (pair.image, pair.label) for file in _list_files(content)}
        rest = [file for file in listing.walk(folder) if file not in read and file not in self.named]
        rest = [file for file in rest if not file.stem.endswith((folders.PREDICTED, folders.PROBABILITY))]
        return [file for file in rest if self.named.isdisjoint(file.parents)]

    def can_be_trained_on(self):
        """Whether an image to train on has a label."""
        return any(pair.part == "train" and pair.label is not None for pair in self.pairs)


def _find_second_kind(paired):
    """A label without an image, and the image with a label whose name it begins with, if it is so with all; or None."""
    fits = {}
    for orphan in paired.orphans:
        beginnings = [orphan[: mark.start()] for mark in re.finditer("[ _-]", orphan)]
        fits[orphan] = next((stem for stem in reversed(beginnings) if stem in paired.labels), None)
        if not fits[orphan]:
            return None
    if not fits:
        return None
    kinds = {orphan.removeprefix(stem) for orphan, stem in fits.items()}
    return next(iter(fits.items())) if 2 * len(kinds) <= len(fits) else None


def _list_files(content):
    """The files that what a pair has for an image or a label is made of."""
    if isinstance(content, functools.partial):
        content = [content.func, *content.args, *content.keywords.values()]
    if isinstance(content, list | tuple | dict):
        values = [*content, *content.values()] if isinstance(content, dict) else content
        return [file for value in values for file in _list_files(value)]
    return [content] if isinstance(content, Path) else []
