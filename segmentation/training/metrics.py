"""The IoU that training shows as it goes: Keras's or, with PyTorch, one of our own that is as fast."""

import keras


@keras.saving.register_keras_serializable("segmentation")
class IoU(keras.metrics.IoU):
    """Keras's IoU of labels (batch, height, width, 1) and probabilities (batch, height, width, classes or 1).

    Pixels are counted by a product of matrices.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        ops = keras.ops
        predicted = ops.argmax(y_pred, -1) if y_pred.shape[-1] > 1 else ops.cast(y_pred[..., 0] >= 0.5, "int32")
        numbers = [ops.reshape(part, [-1]) for part in (ops.cast(y_true[..., 0], "int32"), predicted)]
        truth, predicted = (ops.one_hot(part, self.num_classes, dtype="float32") for part in numbers)
        if sample_weight is not None:
            truth *= ops.reshape(ops.cast(sample_weight, "float32"), [-1, 1])
        self.total_cm.assign_add(ops.matmul(ops.transpose(truth), predicted))


def find_iou(classes, rare, name):
    """The IoU of a network with so many channels: of one that of the class `rare` of two, of more the mean of all."""
    if keras.backend.backend() == "torch":  # where Keras counts pixels one by one, for seconds a step
        return IoU(max(classes, 2), [rare] if classes == 1 else list(range(classes)), name=name, dtype="float32")
    if classes == 1:
        return keras.metrics.BinaryIoU([rare], name=name, dtype="float32")
    return keras.metrics.MeanIoU(classes, name, dtype="float32", sparse_y_pred=False)
