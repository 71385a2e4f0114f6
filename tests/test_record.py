import keras
import numpy as np
import pytest

import batches
import record


class Answer(keras.layers.Layer):
    """Answers every pixel with the image, or with one number."""

    def __init__(self, number=None):
        super().__init__()
        self.number = number

    def call(self, image):
        return image if self.number is None else 0 * image + self.number


@pytest.mark.parametrize(("answer", "accuracy", "said"), [(None, 0.9, 0), (None, 0.75, 1), (0.3, 0.9, 1)])
def test_a_network_that_learned_nothing_is_said_to_in_one_line(answer, accuracy, said, capsys):
    label = np.array([[True, True], [True, False]])
    network = keras.Sequential([keras.layers.Input((None, None, 1)), Answer(answer)])
    watch = record.Learning(batches.Sections([label[..., np.newaxis].astype("float32")], [label], 2))
    watch.set_model(network)
    watch.on_epoch_end(0, {"val_accuracy": accuracy})
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, {"val_accuracy": accuracy})
    assert not capsys.readouterr().out
