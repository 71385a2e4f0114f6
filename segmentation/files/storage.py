"""Where decoded pixels are kept: in memory while there is room, those of large files in a file, others nowhere.

What is kept nowhere is decoded again when it is needed.
"""

import functools
import tempfile
import threading

import numpy as np

from segmentation.files import scaling

ROOM = 3 * 2**28  # bytes of memory
LARGE = 2**26  # bytes of a file, from which it takes too long to decode it again
DECODED = 8  # files that are held after they were decoded again


class Store:
    """Keeps arrays as far as there is room, given in bytes; to be shared by threads."""

    def __init__(self, room=None):
        self.room = ROOM if room is None else room
        self._lock = threading.Lock()

    def keep(self, array):
        """Keep an array.

        Returns
        -------
        array or None
            The same values, in memory or mapped from a temporary file, which goes with this process; None if they have
            to be decoded again.

        Raises
        ------
        OSError
            If the temporary file cannot be written.
        """
        with self._lock:
            fits = array.nbytes <= self.room
            self.room -= array.nbytes * fits
        if fits:
            return np.ascontiguousarray(array)
        return _map(array) if array.nbytes >= LARGE else None


def _map(array):
    """An array that lies in a temporary file."""
    try:
        with tempfile.TemporaryFile() as file:  # there is one until it is no longer mapped
            for part in array:
                file.write(np.ascontiguousarray(part).data.cast("B"))
            file.flush()
            return np.memmap(file, array.dtype, "r", shape=array.shape)
    except OSError as error:
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from None


class Lazy:
    """A sequence of arrays that are made when they are asked for; the last few of them are held.

    Parameters
    ----------
    make : callable
        The array of a number.
    numbers : sequence of int
    """

    def __init__(self, make, numbers):
        self.make, self.numbers = make, numbers
        self._held = functools.lru_cache(DECODED)(make)

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Lazy(self.make, self.numbers[index])
        return self._held(self.numbers[index])


class Scaled:
    """An image that is scaled where it is looked at: indexed like a float32 array (height, width, channels).

    Parameters
    ----------
    read : callable
        The image as it is stored: array (height, width) or (height, width, channels).
    shape : tuple
        Height, width and channels.
    chosen : scaling.Scaling
        That of the dataset.
    window : pair of slices
        The part of the image that is looked at, which `shape` is the shape of.
    """

    dtype, ndim = np.dtype("float32"), 3

    def __init__(self, read, shape, chosen, window):
        self._read, self.shape, self._chosen, self._window = read, shape, chosen, window

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        image = self._read()
        self._fit(image)
        image = image[self._window]
        plain = isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, slice) for part in key)
        scaled = scaling.scale(image[key] if plain else image, self._chosen)
        return scaled if plain else scaled[key]

    def __array__(self, dtype=None, copy=None):
        return self[:, :].astype(dtype or self.dtype, copy=False)

    def _fit(self, image):
        """Find out once how the whole image is scaled."""
        if self._chosen.rule == "image":
            self._chosen = scaling.fit(self._chosen, image)
