"""Masks of two values out of which JPEG, or interpolation, has made many: between which two they are."""

from segmentation.files import labels


def find_ends(content, in_colour=False):
    """The two values of a mask that JPEG, or interpolation, has blurred; None of any other label.

    Every value that fills a square of a few pixels is then near one of the ends, and the others are of the seams.
    """
    if len(content.counts) <= 2 or not content.cores:
        return None
    if in_colour:
        return _find_end_colours(content)
    low, high = min(content.counts), max(content.counts)
    if high - low < 2 * labels.NEAR or low < 0:
        return None
    near_low = {value for value in content.counts if (value - low) * labels.NEAR <= high - low}
    near_high = {value for value in content.counts if (high - value) * labels.NEAR <= high - low}
    between = set(content.counts) - near_low - near_high
    if not content.cores <= near_low | near_high or not (content.cores & near_low and content.cores & near_high):
        return None
    return (low, high) if (len(near_low) > 1 and len(near_high) > 1) or len(between) > 2 else None


def are_ends(ends, chosen, in_colour):
    """Whether half way between two values parts the ends of a blurred mask, as from `find_ends`.

    Smoothing keeps small objects from their value. Colours have to be the two themselves, nearly.
    """
    if in_colour:
        return all(_are_near(one, other) for one, other in zip(ends, chosen, strict=True))
    low, high = ends
    near = (high - low) / labels.NEAR
    return low + near < sum(chosen) / 2 < high - near


def _are_near(one, other):
    """Whether two colours differ as little as JPEG makes them."""
    return all(abs((one >> shift & 255) - (other >> shift & 255)) <= 255 // labels.NEAR for shift in (16, 8, 0))


def _find_end_colours(content):
    """As `find_ends` for colours, of which one has to be clearly brighter."""
    first = max(content.cores, key=content.counts.get)
    far = [code for code in content.cores if not _are_near(code, first)]
    if not far:
        return None
    second = max(far, key=content.counts.get)
    low, high = sorted((first, second))
    if any(not _are_near(code, second) for code in far) or (high >> 24) - (low >> 24) < 3 * 255 // labels.NEAR:
        return None
    between = [code for code in content.counts if not (_are_near(code, first) or _are_near(code, second))]
    return (low, high) if len(between) > 2 or len(content.cores) > 2 else None
