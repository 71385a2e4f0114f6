"""What happens as each epoch ends: the run is written down, pictures follow it, TensorBoard too."""

import time

import keras
import numpy as np

from segmentation import figures
from segmentation.files import classes, writing
from segmentation.prediction import masks, networks
from segmentation.scores import pixels
from segmentation.training import runs


class Checkpoint(keras.callbacks.Callback):
    """Write the run's files as each epoch ends.

    Parameters
    ----------
    run : Path
        An existing folder.
    epoch : int
        Epochs already finished; later rows of an earlier history.csv are dropped.
    settings : networks.Settings
        Kept with the network, without which it would be used wrongly.
    """

    def __init__(self, run, epoch=0, settings=None):
        super().__init__()
        self.run, self.settings = run, settings
        self.rows = runs.read_history(run / "history.csv")[:epoch]

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.started, 1), **logs}
        if not any(earlier["val_loss"] <= row["val_loss"] for earlier in self.rows):
            # A model around the same layers that was never compiled: without the optimiser the file is a third.
            network = keras.Model(self.model.inputs[0], self.model.outputs[0], name=self.model.name)
            networks.save_network(network, self.run / "model.keras", self.settings)
        self.rows.append(row)
        writing.write_table(self.run / "history.csv", self.rows)
        # Last, since it says how far the run is: killed before this, the epoch is done again, with the same result.
        networks.save_network(self.model, self.run / "last.keras", self.settings)


class Learning(keras.callbacks.Callback):
    """Say so, in one line, if the network has learned nothing in its first epoch, or sees no object after any.

    Parameters
    ----------
    labels : list of arrays (height, width)
        Of what is held out.
    known : classes.Classes
        What is in them.
    """

    def __init__(self, labels, known):
        super().__init__()
        counted = [label[classes.known(label)] for label in labels]
        self.constant = np.mean([pixels.constant_accuracy(label) for label in counted if label.size])
        self.rare = known.names[known.order[0]]
        self.share = known.pixels[known.order[0]] / max(sum(known.pixels), 1) if known.pixels else 1
        self.said = False

    def on_epoch_end(self, epoch, logs=None):
        # A network that answers every pixel alike is no better than that, either.
        nothing = epoch == 0 and logs["val_accuracy"] <= self.constant and not logs.get("val_mean_iou", 0) > 0.5
        overlap = logs.get(f"val_{self.rare}_iou")
        empty = overlap is not None and overlap < 0.001
        if self.said or not (empty or (nothing and (overlap is None or overlap < 0.1))):
            return
        self.said = True
        what = f"No {self.rare} is found" if empty else "Nothing learned"
        share = f"imbalance ({self.rare} has {self.share:.2%} of the pixels, which more epochs may mend), "
        print(
            f"\n{what} after epoch {epoch + 1}: accuracy {logs['val_accuracy']:.4f} on what is held out, where one "
            f"answer for every pixel has {self.constant:.4f}. Likely causes: {share if self.share < 0.1 else ''}labels "
            "that do not belong to their images, a --learning-rate too high or too low, too few --steps-per-epoch. "
            "Going on."
        )


def watch(run, held_out, group, settings, tensorboard=False):
    """The callbacks that keep a run's pictures, and on request its TensorBoard, up to date.

    Parameters
    ----------
    run : Path
        Folder of the run, whose history.csv an earlier callback writes.
    held_out : data.Pairs
        What is held out; its first section is drawn.
    group : devices.Group
        With several devices there are no overlays: they would need all of them at once.
    settings : networks.Settings
    tensorboard : bool
    """
    watching = [Pictures(run, held_out, settings, overlays=group.devices == 1, tensorboard=tensorboard)]
    if tensorboard:
        watching.append(keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False))
    return watching


class Pictures(keras.callbacks.Callback):
    """Draw curves.png and overlay.png anew as each epoch ends.

    Parameters
    ----------
    run, held_out, settings, tensorboard
        As for `watch`.
    overlays : bool
        Whether to predict the section.
    show : callable
        Called with the name of each picture and its figure, for instance to show it in a notebook.
    """

    def __init__(self, run, held_out, settings, *, overlays=True, tensorboard=False, show=None):
        super().__init__()
        self.run, self.settings, self.known = run, settings, held_out.classes
        self.image, self.label = held_out.images[0], held_out.labels[0]
        self.overlays, self.tensorboard, self.show = overlays, tensorboard, show

    def on_epoch_end(self, epoch, logs=None):
        drawn = {"curves": figures.draw_curves(runs.read_history(self.run / "history.csv"))}
        if self.overlays:
            probability = masks.predict(self.model, self.image, turns="none")
            mask = masks.to_mask(probability, self.settings)
            drawn["overlay"] = figures.draw_overlay(self.image, self.label, mask, self.known)
        for name, figure in drawn.items():
            figures.save(figure, self.run / f"{name}.png")
            if self.show:
                self.show(name, figure)
        if self.tensorboard and self.overlays:
            import tensorflow as tf  # TensorBoard's own way to write, with any backend

            picture = figures.overlay(self.image, self.label, mask, figures.find_shown(self.known))
            with tf.summary.create_file_writer(str(self.run / "tensorboard" / "overlay")).as_default():
                tf.summary.image("overlay", picture[None], step=epoch)
