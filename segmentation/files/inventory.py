"""What there is in a dataset, in lines of text."""

from collections import Counter

import numpy as np

from segmentation.files import classes, folders, labels


def describe(found):
    """What there is in a dataset, in lines of text; `found` as from `survey`."""
    lines = []
    for name, part in found.parts.items():
        for place, files in zip(part.places, (part.images, part.labels), strict=True):
            if files or name == "train" or (name == "test" and place == part.places[0]):
                lines.append(_describe_files(found, place, files, part))
    return "\n".join(lines)


def _describe_files(found, place, files, part):
    """A line on the images, or the labels, of a folder."""
    good = [part.facts[file] for file in files.values() if part.facts[file]]
    pages = sum(facts.pages for facts in good)
    sizes = Counter(f"{facts.size[0]}x{facts.size[1]}" for facts in good)
    clauses = [f"{len(files)} file{'s' * (len(files) != 1)}" + f" of {pages} pages" * (pages > len(good))]
    clauses += [", ".join(f"{count} of {size}" for size, count in sizes.most_common(3))] if sizes else []
    if good and good[0].content:
        clauses.append(_describe_values(found, good))
    elif good:
        kinds = Counter(f"{facts.dtype} {_name_channels(facts.channels)}" for facts in good)
        clauses.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    others = folders.find_others(place) if place.is_dir() else []
    if others:
        names = ", ".join(file.name for file in others[:3]) + " and more" * (len(others) > 3)
        clauses.append(f"{len(others)} other file{'s are' if len(others) > 1 else ' is'} ignored ({names})")
    return f"{place.relative_to(found.folder)}: " + "; ".join(clauses) + "."


def _name_channels(channels):
    return {1: "grey", 3: "RGB"}.get(channels, f"of {channels} channels")


def _describe_values(found, good):
    """The share of each class, or of each value if the classes are not known, in labels."""
    known = found.classes
    if known:
        pixels = np.sum([page for facts in good for page in classes.count_classes(facts.content, known)], axis=0)
        total = sum(sum(facts.content.counts.values()) for facts in good)
        shares = [f"{name}: {count / total:.1%}" for name, count in zip(known.names, pixels, strict=True)]
        if known.ignore is not None:
            shares.append(f"not labelled: {1 - pixels.sum() / total:.1%}")
        return ", ".join(shares[:8])
    counts = sum((Counter(facts.content.counts) for facts in good), Counter())
    total = sum(counts.values())
    in_colour = good[0].content.in_colour
    shares = [f"{labels.name_value(value, in_colour)}: {counts[value] / total:.1%}" for value in sorted(counts)[:8]]
    return ", ".join(shares)
