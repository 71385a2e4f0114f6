"""The grey values of a simulated section: cells, their membranes, and what is inside them.

Mitochondria, vesicles, microtubules and inner membranes are drawn into the cells and left out of the labels. Lengths
are in pixels of 4 nm.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

SIDE = 512  # of a section


class Mitochondrion(NamedTuple):
    """A capsule: where its axis lies, its size, its stain, and the waves of its cristae."""

    centre: np.ndarray
    direction: np.ndarray
    half_length: float
    radius: float
    neurite: int
    grey: float
    contrast: float
    rim: float
    cristae: np.ndarray
    bends: np.ndarray
    phase: float

    def draw(self, rng, image, cell, points, inside):
        """The image with a rim and wavy cristae where the section cuts the capsule, within its own neurite.

        `cell`, `points` and `inside` give for each pixel its neurite, its place in the volume, and how far inside a
        cell it is.
        """
        offset = points - self.centre
        along = offset @ self.direction
        across = np.sqrt(np.maximum((offset**2).sum(-1) - along**2, 0))
        beyond = np.maximum(np.abs(along) - self.half_length, 0)
        depth = np.minimum(self.radius - np.hypot(across, beyond), np.where(cell == self.neurite, inside - 3, -1))
        if depth.max() < 2:
            return image
        cristae = np.sin(offset @ self.cristae + 1.5 * np.sin(offset @ self.bends) + self.phase)
        rim = np.exp(-(((depth - 1.5) / 1.6) ** 2))
        grey = self.grey + self.contrast * cristae - self.rim * rim + 0.05 * blur(rng, 1)
        return np.where(depth > 0, grey, image)


class Stain:
    """How dark and how granular each of the `count` neurites of a volume is; `paint` draws a section of it."""

    def __init__(self, rng, count):
        glia = rng.random(count) < 0.18  # dark and granular
        self.grey = rng.normal(0.65, 0.045, count) - glia * rng.uniform(0.08, 0.2, count)
        self.granular = rng.uniform(0.04, 0.08, count) + glia * 0.03
        self.vesicles = np.where(rng.random(count) < 0.25, rng.uniform(0.17, 1, count), 0.03)

    def paint(self, rng, cell, membrane, points, label, mitochondria):
        """The grey values of a section, uint8 (512, 512).

        Parameters
        ----------
        rng : numpy.random.Generator
        cell : int array (512, 512)
            The neurite at each pixel.
        membrane : float array (512, 512)
            How dark the membrane is there, from 0 to 1.
        points : float array (512, 512, 3)
            Where in the volume it is.
        label : bool array (512, 512), True inside cells
        mitochondria : list of Mitochondrion
        """
        texture = blur(rng, 1.7) * self.granular[cell]
        texture += blur(rng, 5) * 0.025
        image = self.grey[cell] + texture
        inside = ndimage.distance_transform_edt(label)
        for body in mitochondria:
            image = body.draw(rng, image, cell, points, inside)
        draw_vesicles(rng, image, inside, self.vesicles[cell])
        draw_inner_membranes(rng, image, inside)
        image = image - 0.2 * dots(rng) * (inside > 4)  # ribosomes, and microtubules cut across
        membrane = membrane * np.clip(1 + 0.2 * blur(rng, 25), 0.85, 1.4)
        image = image - 0.35 * membrane
        image = image - 0.2 * smudges(rng, membrane) - 0.25 * np.clip(blur(rng, 13) - 1.5, 0, 1)
        image = ndimage.gaussian_filter(image, rng.uniform(0.6, 1.0))
        stain = 1 + 0.08 * blur(rng, 90)
        image = (image - 0.5) * stain * rng.uniform(0.8, 1.25) + 0.5 + 0.05 * blur(rng, 120) + rng.normal(0, 0.05)
        noise = ndimage.gaussian_filter(rng.normal(size=image.shape), 0.7)
        image += noise / noise.std() * rng.uniform(0.045, 0.075)
        return np.uint8(np.clip(image * 255, 0, 255).round())


def draw_vesicles(rng, image, inside, density):
    """Vesicles, some of them filled, in place; `density` is their chance at each pixel."""
    for y, x in rng.integers(8, SIDE - 8, (3000, 2)):
        radius = rng.uniform(3, 6)
        if inside[y, x] > radius + 3 and rng.random() < density[y, x]:
            core = 0.12 if rng.random() < 0.3 else -0.04
            stamp(image, y, x, radius, ring=rng.uniform(0.09, 0.22), core=core)


def draw_inner_membranes(rng, image, inside):
    """Rings such as those of endosomes, in place."""
    for y, x in rng.integers(20, SIDE - 20, (25, 2)):
        if inside[y, x] > 14:
            radius = rng.uniform(7, min(18, inside[y, x] - 4))
            stamp(image, y, x, radius, ring=rng.uniform(0.08, 0.25), core=rng.uniform(-0.05, 0.08))


def dots(rng):
    """Small dark dots at random, up to 1."""
    image = np.zeros((SIDE, SIDE))
    image[tuple(rng.integers(0, SIDE, (2, 3500)))] = rng.uniform(0.2, 1, 3500)
    return ndimage.gaussian_filter(image, 1.1) * 7.6


def blur(rng, scale):
    """Smooth noise of one section with standard deviation 1 and features of `scale` pixels."""
    factor = max(1, scale / 3)
    side = int(np.ceil(SIDE / factor)) + 1
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side)), scale / factor, mode="wrap")
    return ndimage.zoom(noise / noise.std(), factor, order=1)[:SIDE, :SIDE]


def smudges(rng, membrane):
    """Dark densities along some membranes, as at synapses."""
    spots = np.maximum(blur(rng, 9) - 2.2, 0)
    return np.minimum(spots, 1) * ndimage.gaussian_filter(membrane, 3) * 2


def stamp(image, y, x, radius, ring, core):
    """Darken a ring, and its inside by `core`, in place."""
    reach = int(radius + 4)
    window = slice(max(y - reach, 0), min(y + reach + 1, SIDE)), slice(max(x - reach, 0), min(x + reach + 1, SIDE))
    yy, xx = np.ogrid[window]
    distance = np.hypot(yy - y, xx - x)
    image[window] -= ring * np.exp(-(((distance - radius) / 1.5) ** 2)) + core * (distance < radius)
