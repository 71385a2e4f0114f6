"""Simulate serial sections of neuropil for transmission electron microscopy, with labels.

    python data/membrane/simulate.py --out data/membrane

writes 30 training sections with labels and 30 test sections, of another volume, with labels. The numbers are those of
the ISBI 2012 challenge: 512x512 pixels of 4 nm, sections 50 nm thick. Lengths are in pixels throughout.

Neurites are tubes along random walks. Every point of space belongs to the tube with the least power distance
|p - q|^2 - r^2 to a point q of its axis (a power diagram), after a smooth warp. Half the difference between the least
distances to two tubes, over the distance of their axis points, is how far the membrane between them is; how steeply
it stands in the section tells how widely the section's thickness smears it. stain.py gives a section its grey values.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import stain
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree
from tqdm import trange

SEED = 2012
SIDE = stain.SIDE
SECTIONS = 30
THICKNESS = 12.5  # 50 nm
MARGIN = 100
LARGEST_RADIUS = 80
MEMBRANE = 2.4  # half the thickness of two membranes and the cleft between them
SATURATION = 1.8  # stain is fully dark where membrane fills 1 / SATURATION of the section's thickness

BOX = np.array([SECTIONS * THICKNESS, SIDE, SIDE])


class Volume:
    """One block of tissue; `section(k)` cuts and stains it."""

    def __init__(self, seed):
        self.seed = seed
        rng = np.random.default_rng(seed)
        self.axis, direction, self.radius, self.neurite = grow_neurites(rng)
        # |p - q|^2 - r^2 is a squared distance in four dimensions, up to a constant: what a k-d tree can search.
        height = np.sqrt(self.radius.max() ** 2 - self.radius**2)
        self.tree = cKDTree(np.column_stack([self.axis, height]))
        self.warps = [(scale, strength, lattice(rng, scale, 3)) for scale, strength in ((70, 9), (22, 2.5))]
        self.stain = stain.Stain(rng, self.neurite.max() + 1)
        self.mitochondria = place_mitochondria(rng, self.axis, direction, self.radius, self.neurite)

    def section(self, k):
        """Cut section k.

        Returns
        -------
        image : uint8 array (512, 512)
        label : bool array (512, 512), True inside cells
        """
        z = (k + 0.5) * THICKNESS
        points = np.stack(np.meshgrid([z], np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 3)
        points = points + sum(strength * sample(grid, points, scale) for scale, strength, grid in self.warps)
        cell, distance, steepness = self.nearest(points)
        shape = SIDE, SIDE
        cell = cell.reshape(shape)
        membrane = smear(distance, steepness).reshape(shape)
        # An annotator draws the dark middle of a membrane, and passes over what is very small.
        label = ndimage.gaussian_filter(membrane, 0.7) < 0.7
        label = drop_small(label, 60)
        label = ~drop_small(~label, 25)
        rng = np.random.default_rng((*self.seed, k))
        points = points.reshape(*shape, 3)
        return self.stain.paint(rng, cell, membrane, points, label, self.mitochondria), label

    def nearest(self, points):
        """The neurite at each point, the distance of its membrane, and the membrane normal's share along z."""
        _, order = self.tree.query(np.column_stack([points, np.zeros(len(points))]), k=24, workers=-1)
        power = ((points[:, np.newaxis] - self.axis[order]) ** 2).sum(-1) - self.radius[order] ** 2
        cell = self.neurite[order[:, 0]]
        other = self.neurite[order] != cell[:, np.newaxis]
        second = np.where(other.any(1), other.argmax(1), 0)
        rows = np.arange(len(points))
        between = self.axis[order[rows, second]] - self.axis[order[:, 0]]
        length = np.maximum(np.linalg.norm(between, axis=1), 1)
        distance = (power[rows, second] - power[:, 0]) / (2 * length)
        return cell, np.where(other.any(1), distance, np.inf), np.abs(between[:, 0]) / length


def grow_neurites(rng):
    """Grow tubes along random walks until they would fill the volume.

    Returns
    -------
    axis, direction : float arrays (points, 3), in (z, y, x)
    radius : float array (points,)
    neurite : int array (points,), the tube a point belongs to
    """
    low, high = -MARGIN * np.ones(3), BOX + MARGIN
    walks = []
    room = 1.4 * np.prod(high - low)
    while room > 0:
        radius = float(np.clip(rng.lognormal(np.log(12.5), 0.8), 9, LARGEST_RADIUS))
        step = max(4.0, 0.45 * radius)
        start = rng.uniform(low, high)
        heading = rng.normal(size=3) * (2, 1, 1)
        walk = []
        for sign in (1, -1):
            point, direction, swelling = start.copy(), sign * heading / np.linalg.norm(heading), 1.0
            while np.all(point >= low) and np.all(point <= high):
                walk.append((*point, *direction, min(radius * swelling, LARGEST_RADIUS), len(walks)))
                direction = direction + rng.normal(size=3) * 0.12 * np.sqrt(step / 5)
                direction /= np.linalg.norm(direction)
                swelling = np.clip(swelling + rng.normal() * 0.1, 0.6, 1.6)
                point = point + step * direction
        walks.append(walk)
        room -= len(walk) * step * np.pi * radius**2
    table = np.array([row for walk in walks for row in walk])
    return table[:, :3], table[:, 3:6], table[:, 6], table[:, 7].astype(int)


def place_mitochondria(rng, axis, direction, radius, neurite):
    """Mitochondria along the axes of the wider tubes."""
    wide = np.flatnonzero((radius > 22) & np.all((axis > -40) & (axis < BOX + 40), axis=1))
    return [
        stain.Mitochondrion(
            centre=axis[i] + rng.normal(size=3) * radius[i] * 0.25,
            direction=direction[i],
            half_length=rng.uniform(10, 90),
            radius=min(radius[i] * rng.uniform(0.4, 0.65), rng.uniform(16, 45)),
            neurite=neurite[i],
            grey=rng.uniform(0.33, 0.48),
            contrast=rng.uniform(0, 0.1),
            rim=rng.uniform(0, 0.16),
            cristae=rng.normal(size=3) * 0.45,
            bends=rng.normal(size=3) * 0.08,
            phase=rng.uniform(0, 2 * np.pi),
        )
        for i in rng.choice(wide, min(len(wide), 220), replace=False)
    ]


def smear(distance, steepness):
    """Darkness, from 0 to 1, of a membrane whose plane is `distance` away and tilted.

    Along z the distance changes by `steepness` a pixel, so the membrane fills an interval of z; what counts is which
    share of the section's thickness that is.
    """
    steepness = np.maximum(steepness, 0.05)
    top = np.minimum((MEMBRANE - distance) / steepness, THICKNESS / 2)
    bottom = np.maximum((-MEMBRANE - distance) / steepness, -THICKNESS / 2)
    return np.minimum(SATURATION * np.maximum(top - bottom, 0) / THICKNESS, 1)


def drop_small(mask, pixels):
    """Remove the 4-connected components of a bool array that have fewer pixels: what an annotator passes over."""
    components, _ = ndimage.label(mask)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return sizes[components] >= pixels


def lattice(rng, scale, channels):
    """Random numbers on a coarse lattice over the volume, to be interpolated by `sample`."""
    shape = np.ceil((BOX + 2 * MARGIN) / scale).astype(int) + 3
    return rng.normal(size=(channels, *shape))


def sample(grid, points, scale):
    """Interpolate a lattice at points (n, 3): an array (n, channels)."""
    where = ((points + MARGIN) / scale + 1).T
    return np.stack([ndimage.map_coordinates(channel, where, order=3, mode="nearest") for channel in grid], axis=1)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="dataset folder (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    for part, (images, labels) in enumerate([("train/image", "train/label"), ("test", "test/label")]):
        volume = Volume((arguments.seed, part))
        for folder in (images, labels):
            (arguments.out / folder).mkdir(parents=True, exist_ok=True)
        for k in trange(SECTIONS, desc=images, unit="section"):
            image, label = volume.section(k)
            Image.fromarray(image).save(arguments.out / images / f"{k}.png", optimize=True)
            Image.fromarray(np.uint8(label) * np.uint8(255)).save(arguments.out / labels / f"{k}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
