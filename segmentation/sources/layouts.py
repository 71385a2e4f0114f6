"""What a dataset in the layout of others consists of: pairs of images and labels, and what was taken for what."""

import functools
from dataclasses import dataclass, field

from segmentation.files import pairing
from segmentation.sources import listing


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

    `rules` are sentences on what was taken for what, and on what was left out.
    """

    name: str
    labels: dict = field(default_factory=dict)
    channels: dict = field(default_factory=dict)
    pairs: list = field(default_factory=list)
    rules: list = field(default_factory=list)

    def add(self, part, image_files, label_files, read=None):
        """Add the pairs of images and labels, whose names need not be equal.

        Parameters
        ----------
        part : str
            train, val or test; images of train and val without a label are left out.
        image_files, label_files : folders, or dicts of stem to Path
            A folder that is not there holds none.
        read : callable or None
            What makes a label out of its file: integers (pages, height, width); None to take the file as it is.
        """
        image_files, label_files = (
            files if isinstance(files, dict) else listing.list_files(listing.enter(files), masks)
            for files, masks in ((image_files, False), (label_files, True))
        )
        paired = pairing.pair(image_files, label_files)
        if paired.rule:
            self.rules.append(f"{part}: {paired.rule}.")
        for stem, file in image_files.items():
            label = label_files.get(paired.labels.get(stem))
            if label or part == "test":
                self.pairs.append(Pair(part, stem, file, functools.partial(read, label) if read and label else label))
        if part != "test":
            self.leave_out([image_files[stem] for stem in paired.unlabelled], "has no label")
        self.leave_out([label_files[stem] for stem in paired.orphans], "has no image")

    def leave_out(self, files, reason):
        """Say that files are left out, of many the first by its name."""
        files = list(files)
        if files:
            more = f", as {len(files) - 1} more like it" if len(files) > 1 else ""
            self.rules.append(f"{files[0]} {reason} and is left out{more}.")

    def can_be_trained_on(self):
        """Whether an image to train on has a label."""
        return any(pair.part == "train" and pair.label is not None for pair in self.pairs)
