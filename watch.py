"""See how a training goes while it goes: pictures that follow each epoch, and TensorBoard."""

import keras

import cells
import figures
import predict
import record


def callbacks(run, image, label, group, tensorboard=False):
    """The callbacks that keep a run's pictures, and on request its TensorBoard, up to date.

    Parameters
    ----------
    run : Path
        Folder of the run, whose history.csv an earlier callback writes.
    image, label : arrays
        A held-out section, as in `batches.Sections`.
    group : devices.Group
        With several devices there are no overlays: they would need all of them at once.
    tensorboard : bool
    """
    watching = [Pictures(run, image, label, group.devices == 1, tensorboard)]
    if tensorboard:
        watching.append(keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False))
    return watching


class Pictures(keras.callbacks.Callback):
    """Draw curves.png and overlay.png anew as each epoch ends.

    Parameters
    ----------
    run, image, label, tensorboard
        As for `callbacks`.
    overlays : bool
        Whether to predict the section.
    show : callable
        Called with the name of each picture and its figure, for instance to show it in a notebook.
    """

    def __init__(self, run, image, label, overlays=True, tensorboard=False, show=None):
        super().__init__()
        self.run, self.image, self.label = run, image, label
        self.overlays, self.tensorboard, self.show = overlays, tensorboard, show

    def on_epoch_end(self, epoch, logs=None):
        drawn = {"curves": figures.draw_curves(record.read_history(self.run / "history.csv"))}
        if self.overlays:
            probability = predict.predict(self.model, self.image, flips=False)
            mask = predict.to_mask(probability, {"border": cells.NO_LINES})
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
