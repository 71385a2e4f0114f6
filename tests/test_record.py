import numpy as np
import pytest

import model
import record


@pytest.mark.parametrize(("accuracy", "said"), [(0.9, 0), (0.75, 1)])
def test_a_network_that_learned_nothing_is_said_to_in_one_line(accuracy, said, capsys):
    watch = record.Learning([np.array([[True, True], [True, False]])])
    watch.on_epoch_end(0, {"val_accuracy": accuracy})
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, {"val_accuracy": accuracy})
    assert not capsys.readouterr().out


def test_weights_for_other_images_are_taken_where_they_fit(tmp_path):
    sizes = {"width": 2, "depth": 1}
    trained, network = model.unet(**sizes), model.unet((None, None, 3), 4, **sizes)
    trained.save(tmp_path / "model.keras")
    before = {layer.name: layer.get_weights() for layer in network.layers}
    record.copy_weights(tmp_path / "model.keras", network)
    for layer in network.layers:
        fits = layer.name not in ("down1_conv1", "probability")
        expected = trained.get_layer(layer.name).get_weights() if fits else before[layer.name]
        for weight, value in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(weight, value)
