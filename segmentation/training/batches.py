"""Batches for Keras: those of data.py, made by several threads, and the same again in a run that is resumed."""

import os

import keras
import numpy as np

WORKERS = min(8, os.cpu_count() or 1)


class Batches(keras.utils.PyDataset):
    """A sequence of batches, `data.Crops` or `data.Sections`, as Keras takes it.

    Train with `FollowEpochs` and with `shuffle=False`, which keeps the batches in order.

    Parameters
    ----------
    sequence : sequence of tuples of arrays
    workers : int
        Threads that make batches while the network trains.
    """

    def __init__(self, sequence, workers=WORKERS):
        super().__init__(workers=workers)
        self.sequence = sequence

    def __len__(self):
        return len(self.sequence)

    def __getitem__(self, index):
        return self.sequence[index]


class FollowEpochs(keras.callbacks.Callback):
    """Let an epoch's random numbers, those of `crops`, a `data.Crops`, and of dropout, depend on (seed, epoch) alone.

    Then a resumed run goes on as if it had not been stopped. Neither follows by itself: Keras calls `on_epoch_end` of a
    dataset more often than there are epochs, and does not save the state of dropout.
    """

    def __init__(self, crops):
        super().__init__()
        self.crops = crops

    def on_epoch_begin(self, epoch, logs=None):
        self.crops.epoch = epoch
        for i, layer in enumerate(self.model.layers):
            if hasattr(layer, "seed_generator"):
                seed = np.random.default_rng((self.crops.seed, epoch, i)).integers(2**31)
                layer.seed_generator.state.assign([int(seed), 0])
