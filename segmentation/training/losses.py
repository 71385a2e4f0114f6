"""Losses for classes that are rare: cross-entropy with Dice added, or focal; and what the classes may weigh."""

import keras
import numpy as np

GAMMA = 2.0  # of the focal loss, as its paper has it
LEAST = 1e-7  # probability that a logarithm is taken of, as in Keras


@keras.saving.register_keras_serializable("segmentation")
class RareClasses(keras.losses.Loss):
    """Cross-entropy, of which sure pixels weigh less (focal), or to which what is missing to a Dice of 1 is added.

    Sources: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017 (without its alpha); Isensee et al.,
    "nnU-Net", Nature Methods 2021 (Dice over a whole batch, added to cross-entropy).

    Parameters
    ----------
    focal, dice : bool
    """

    def __init__(self, focal=False, dice=False, name="rare_classes", **options):
        super().__init__(name=name, **options)
        self.focal, self.dice = focal, dice

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss of classes (batch, height, width, 1), of probabilities, and of the weights of pixels."""
        ops = keras.ops
        if y_pred.shape[-1] == 1:
            truth, predicted = (ops.concatenate([1 - part, part], -1) for part in (y_true, y_pred))
        else:
            truth, predicted = ops.one_hot(ops.cast(y_true[..., 0], "int32"), y_pred.shape[-1]), y_pred
        weight = ops.ones_like(y_true) if sample_weight is None else sample_weight
        probability = ops.clip(ops.sum(truth * predicted, -1, keepdims=True), LEAST, 1)
        surprise = -ops.log(probability)
        if self.focal:
            surprise = (1 - probability) ** GAMMA * surprise
        loss = ops.mean(weight * surprise)
        if self.dice:
            pixels = (0, 1, 2)
            there = ops.sum(weight * truth, pixels)
            common, both = ops.sum(weight * truth * predicted, pixels), there + ops.sum(weight * predicted, pixels)
            present = ops.cast(there > 0, both.dtype)
            missing = ops.sum(present * (1 - (2 * common + 1) / (both + 1)))
            loss = loss + missing / ops.maximum(ops.sum(present), 1)
        return loss

    def get_config(self):
        return {**super().get_config(), "focal": self.focal, "dice": self.dice}


def find_loss(name, classes):
    """The loss "cross-entropy", "dice" or "focal", as `compile` takes it, of a network with so many channels."""
    if name != "cross-entropy":
        return RareClasses(focal=name == "focal", dice=name == "dice")
    return "binary_crossentropy" if classes == 1 else "sparse_categorical_crossentropy"


def weigh_classes(pixels):
    """What each class weighs by its share of the pixels, so that all pixels weigh 1 on average.

    That is the root of 1 / log(1.02 + share), which is its weight by Paszke et al., "ENet", 2016 (arXiv 1606.02147).

    Parameters
    ----------
    pixels : sequence of int
        Of each class.

    Returns
    -------
    float32 array
    """
    shares = np.asarray(pixels) / max(sum(pixels), 1)
    weights = 1 / np.sqrt(np.log(1.02 + shares))
    return np.float32(weights / max(np.sum(weights * shares), 1e-9))
