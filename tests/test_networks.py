import sys

import numpy as np
import pytest

import model
from model import unet
from segmentation.prediction import networks


def test_weights_for_other_images_are_taken_where_they_fit(tmp_path):
    sizes = {"width": 2, "depth": 1}
    trained, network = model.unet(**sizes), model.unet((None, None, 3), 4, **sizes)
    trained.save(tmp_path / "model.keras")
    before = {layer.name: layer.get_weights() for layer in network.layers}
    networks.copy_weights(tmp_path / "model.keras", network)
    for layer in network.layers:
        fits = layer.name not in ("down1_conv1", "probability")
        expected = trained.get_layer(layer.name).get_weights() if fits else before[layer.name]
        for weight, value in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(weight, value)


def test_a_network_keeps_its_settings_and_others_have_none(tmp_path):
    network = unet(width=2, depth=1)
    networks.save_network(network, tmp_path / "own.keras", networks.Settings(border=0.45))
    network.save(tmp_path / "other.keras")
    assert networks.load_network(tmp_path / "own.keras")[1].border == 0.45
    assert networks.load_network(tmp_path / "other.keras")[1].border == 1.0


@pytest.mark.parametrize(
    ("text", "classes", "expected"),
    [
        ('{"border": 0.5}', 1, networks.Settings(0.5)),
        ('{"border": 0.5, "values": [0], "palette": null}', 1, networks.Settings(0.5)),
        ("{}", 1, networks.Settings(1.0, (0, 255))),
        ("{}", 3, networks.Settings(1.0, (0, 1, 2))),
        ('{"values": [0, 9], "palette": [0, 0, 9]}', 2, networks.Settings(1.0, (0, 9), (0, 0, 9))),
        ('{"values": [0, 100, 300], "palette": null}', 3, networks.Settings(1.0, (0, 100, 300))),
    ],
)
def test_settings_of_version_1_0_are_read(text, classes, expected):
    settings = networks.Settings.from_json(text, classes)
    assert settings == expected
    assert networks.Settings.from_json(settings.to_json(), classes) == expected


def test_a_network_without_layers_of_ones_own_is_loaded_outside_the_clone_too(tmp_path, monkeypatch):
    unet(width=2, depth=1).save(tmp_path / "model.keras")
    monkeypatch.setitem(sys.modules, "model", None)  # as if there were no model.py on the path
    assert networks.load_network(tmp_path / "model.keras")[1] == networks.Settings()
