"""What a file of images holds, as a viewer shows it."""

from dataclasses import dataclass

import numpy as np

MOST_PIXELS = 20_000**2


@dataclass(frozen=True)
class Raster:
    """What a file holds, as a viewer shows it.

    `pages` is an array (pages, height, width) or (pages, height, width, channels), of two channels or more, of the
    file's own dtype (uint8 0 and 255 for bits). `alpha` is an array (pages, height, width), only where the file says
    that a channel is alpha. If there is a `palette`, uint8 (colours, 3), `pages` are its indices. `notes` are sentences
    on what was left out or guessed, without the file's name. `planes` says that the channels lie one after the other in
    the file, as the slices of a stack do that was saved without a word on its axes.
    """

    pages: np.ndarray
    alpha: np.ndarray | None = None
    palette: np.ndarray | None = None
    notes: tuple = ()
    planes: bool = False


class Refusal(ValueError):
    """What a reader says of a file in words of its own; `images.read_raster` adds the file's name."""


def check_size(height, width):
    """Refuse what would fill the memory, such as a decompression bomb, before it is decoded."""
    if height * width > MOST_PIXELS:
        raise ValueError(f"its {height}x{width} pixels are more than {MOST_PIXELS:,}")


def turn(array, orientation):
    """Turn pages (pages, height, width, ...) upright, by the orientation of EXIF or TIFF, 1 to 8; None stays None."""
    if array is None:
        return None
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        array = array[:, ::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, :, ::-1]
    return np.ascontiguousarray(array)
