"""The recipe of zhixuhao/unet, written anew on today's Keras, to be measured beside ours by isbi2012.py.

Images are shrunk to 256x256, hardly augmented (its 0.2 for the rotation are degrees), and read by a network of width 64
whose head begins with two channels after ReLU. It trains for one epoch of 300 batches of two, and nothing is held out.

    python -m benchmarks.original   # how long a step takes here and now
"""

import argparse
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
from PIL import Image
from skimage.transform import resize

import data

SIDE = 256
BATCH_SIZE = 2
STEPS = 300
GENERATOR = ImageDataGenerator(
    rotation_range=0.2,
    width_shift_range=0.05,
    height_shift_range=0.05,
    shear_range=0.05,
    zoom_range=0.05,
    horizontal_flip=True,
    fill_mode="nearest",
)


def unet(width=64):
    """Build its network, compiled: (batch, 256, 256, 1) in [0, 1] to probabilities of the same shape."""
    inputs = layers.Input((SIDE, SIDE, 1))
    x = inputs
    skips = []
    for level in range(4):
        x = convolve(convolve(x, width * 2**level), width * 2**level)
        if level == 3:
            x = layers.Dropout(0.5)(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.5)(convolve(convolve(x, width * 16), width * 16))
    for level in reversed(range(4)):
        x = convolve(layers.UpSampling2D(2)(x), width * 2**level, size=2)
        x = layers.Concatenate()([skips.pop(), x])
        x = convolve(convolve(x, width * 2**level), width * 2**level)
    x = convolve(x, 2)
    network = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x), name="original")
    network.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", metrics=["accuracy"])
    return network


def convolve(x, channels, size=3):
    return layers.Conv2D(channels, size, padding="same", activation="relu", kernel_initializer="he_normal")(x)


class Pairs(keras.utils.PyDataset):
    """Its batches: whole sections, shrunk by nearest neighbour, with their labels.

    Parameters
    ----------
    images : list of float32 arrays (height, width, 1) in [0, 1]
    labels : list of bool arrays (height, width)
    steps, seed : int
    workers : int
        Threads that make batches.

    `epoch` is to be set where there are several.
    """

    epoch = 0

    def __init__(self, images, labels, steps, seed=0, workers=2):
        super().__init__(workers=workers)
        self.images = [shrink(image[..., 0]) for image in images]
        self.labels = [shrink(label.astype("float32")) for label in labels]
        self.steps, self.seed = steps, seed

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, index + self.epoch * self.steps))
        images, labels = [], []
        for i in rng.integers(len(self.images), size=BATCH_SIZE):
            transform = data.draw_transform(GENERATOR, self.images[i].shape, rng)
            images.append(GENERATOR.apply_transform(self.images[i], transform))
            labels.append(GENERATOR.apply_transform(self.labels[i], transform) > 0.5)
        return np.stack(images), np.stack(labels).astype("float32")


def shrink(array):
    """A float32 array (height, width) as (256, 256, 1), by nearest neighbour."""
    return np.asarray(Image.fromarray(array).resize((SIDE, SIDE), Image.Resampling.NEAREST))[..., np.newaxis]


def predict(network, image):
    """Probabilities (height, width) of an image (height, width, 1): predicted at 256x256, enlarged to be scored."""
    small = resize(image[..., 0], (SIDE, SIDE)).astype("float32")[np.newaxis, ..., np.newaxis]
    return resize(network.predict_on_batch(small)[0, ..., 0], image.shape[:2])


def time_step(folder, steps):
    """Seconds that a training step takes on the sections of folder/train, the mean of `steps`."""
    pairs = data.read_pairs(folder / "train")
    network = unet()
    for count in 1, steps:  # the first builds its graph
        started = time.perf_counter()
        network.fit(Pairs(pairs.images, pairs.labels, count), verbose=0, shuffle=False)
    return (time.perf_counter() - started) / steps


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Time a training step of the recipe of zhixuhao/unet.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("data/membrane"), help="dataset")
    parser.add_argument("--steps", type=int, default=24, help="how many are timed")
    options = parser.parse_args(argv)
    print(f"{time_step(options.data, options.steps):.2f} s a step")
    return 0


if __name__ == "__main__":
    sys.exit(main())
