import keras
import numpy as np
import pytest

from model import unet


def test_paper_network_has_the_papers_parameters():
    # 31,031,685 with zhixuhao's 2-channel layer, counted in its own summary. Without that layer (64*2*9 + 2 and 2 + 1)
    # the head is 64 + 1. Batch normalisation replaces one bias a level by 4 numbers a channel.
    channels = 2 * (64 + 128 + 256 + 512) + 1024
    assert unet().count_params() == 31_031_685 - (64 * 2 * 9 + 2) - (2 + 1) + (64 + 1) + 3 * channels


@pytest.mark.parametrize(("classes", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_output_is_a_probability_at_full_size(classes, activation):
    network = unet(input_shape=(512, 512, 1), classes=classes, width=2)
    assert network.output_shape == (None, 512, 512, classes)
    assert network.get_layer("probability").activation.__name__ == activation
    assert not network.compiled


def test_any_multiple_of_two_to_the_depth_fits():
    network = unet(width=2, depth=2)
    for shape in ((1, 4, 12, 1), (2, 32, 8, 1)):
        image = np.random.default_rng(0).random(shape, "float32")
        inside = keras.ops.convert_to_numpy(network(image))
        assert inside.shape == shape
        assert np.all((inside > 0) & (inside < 1))


def test_every_layer_has_a_name_of_its_own():
    names = [layer.name for layer in unet(width=2, depth=2).layers]
    assert names[:4] == ["image", "down1_conv1", "down1_conv2", "down1_norm"]
    assert {"down2_dropout", "bottom_conv2", "up1_concatenate", "probability"} <= set(names)


def test_each_level_doubles_the_width():
    network = unet(width=3, depth=3, input_shape=(16, 16, 2))
    filters = [network.get_layer(f"{name}_conv1").filters for name in ("down1", "down2", "down3", "bottom", "up1")]
    assert filters == [3, 6, 12, 24, 3]
