"""What happens as each epoch ends: the run is written down, pictures follow it, TensorBoard too."""

import time

import keras
import numpy as np

from segmentation import figures
from segmentation.prediction import masks, networks
from segmentation.scores import pixels
from segmentation.training import runs


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


class Checkpoint(keras.callbacks.Callback):
    """Write the run's files as each epoch ends.

    Parameters
    ----------
    run : Path
        An existing folder.
    epoch : int
        Epochs already finished; later rows of an earlier history.csv are dropped.
    """

    def __init__(self, run, epoch=0):
        super().__init__()
        self.run = run
        self.rows = runs.read_history(run / "history.csv")[:epoch]

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.started, 1), **logs}
        if not any(earlier["val_loss"] <= row["val_loss"] for earlier in self.rows):
            # A model around the same layers that was never compiled: without the optimiser the file is a third.
            network = keras.Model(self.model.inputs[0], self.model.outputs[0], name=self.model.name)
            networks.save_network(network, self.run / "model.keras")
        self.rows.append(row)
        runs.write_table(self.run / "history.csv", self.rows)
        # Last, since it says how far the run is: killed before this, the epoch is done again, with the same result.
        networks.save_network(self.model, self.run / "last.keras")


class Learning(keras.callbacks.Callback):
    """Say so, in one line, if the network has learned nothing in its first epoch.

    Parameters
    ----------
    labels : list of arrays (height, width)
        Of what is held out.
    """

    def __init__(self, labels):
        super().__init__()
        self.constant = np.mean([pixels.constant_accuracy(label) for label in labels])

    def on_epoch_end(self, epoch, logs=None):
        # A network that answers every pixel alike is no better than that, either.
        if epoch == 0 and logs["val_accuracy"] <= self.constant:
            print(
                f"\nNothing learned in the first epoch: accuracy {logs['val_accuracy']:.4f} on what is held out, where "
                f"one answer for every pixel has {self.constant:.4f}. Likely causes: labels that do not belong to "
                "their images, a --learning-rate too high or too low, too few --steps-per-epoch. Going on."
            )


def watch(run, image, label, group, tensorboard=False):
    """The callbacks that keep a run's pictures, and on request its TensorBoard, up to date.

    Parameters
    ----------
    run : Path
        Folder of the run, whose history.csv an earlier callback writes.
    image, label : arrays
        A held-out section, as in `data.Sections`.
    group : devices.Group
        With several devices there are no overlays: they would need all of them at once.
    tensorboard : bool
    """
    watching = [Pictures(run, image, label, overlays=group.devices == 1, tensorboard=tensorboard)]
    if tensorboard:
        watching.append(keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False))
    return watching


class Pictures(keras.callbacks.Callback):
    """Draw curves.png and overlay.png anew as each epoch ends.

    Parameters
    ----------
    run, image, label, tensorboard
        As for `watch`.
    overlays : bool
        Whether to predict the section.
    show : callable
        Called with the name of each picture and its figure, for instance to show it in a notebook.
    """

    def __init__(self, run, image, label, *, overlays=True, tensorboard=False, show=None):
        super().__init__()
        self.run, self.image, self.label = run, image, label
        self.overlays, self.tensorboard, self.show = overlays, tensorboard, show

    def on_epoch_end(self, epoch, logs=None):
        drawn = {"curves": figures.draw_curves(runs.read_history(self.run / "history.csv"))}
        if self.overlays:
            probability = masks.predict(self.model, self.image, flips=False)
            mask = masks.to_mask(probability, networks.MaskSettings())
            drawn["overlay"] = figures.draw_overlay(self.image, self.label, mask)
        for name, figure in drawn.items():
            figures.save(figure, self.run / f"{name}.png")
            if self.show:
                self.show(name, figure)
        if self.tensorboard and self.overlays:
            import tensorflow as tf  # TensorBoard's own way to write, with any backend

            picture = figures.overlay(self.image, self.label, mask)
            with tf.summary.create_file_writer(str(self.run / "tensorboard" / "overlay")).as_default():
                tf.summary.image("overlay", picture[None], step=epoch)
