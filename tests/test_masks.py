import keras
import numpy as np
import pytest
import tifffile
from helpers import save
from PIL import Image

from model import unet
from segmentation import geometry
from segmentation.prediction import masks, networks


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return unet(width=4, depth=2, dropout=0)


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (5, 3)])
def test_predict_keeps_the_size(network, shape):
    image = np.random.default_rng(0).random((*shape, 1), "float32")
    inside = masks.predict(network, image)
    assert inside.shape == shape
    assert inside.dtype == np.float32


def test_a_size_that_fits_is_not_padded(network):
    image = np.random.default_rng(0).random((16, 24, 1), "float32")
    direct = keras.ops.convert_to_numpy(network(image[np.newaxis]))[0, ..., 0]
    np.testing.assert_allclose(masks.predict(network, image, turns="none"), direct, atol=1e-6)


def test_flips_make_no_difference_to_a_turned_image(network):
    image = np.random.default_rng(0).random((16, 24, 1), "float32")
    inside = masks.predict(network, image, turns="all")
    assert inside.shape == (16, 24)
    assert np.abs(inside - masks.predict(network, image, turns="none")).max() > 1e-3
    for k in range(8):
        turned = masks.predict(network, geometry.turn(image, k), turns="all")
        np.testing.assert_allclose(turned, geometry.turn(inside, k), atol=1e-6)


def test_masks_of_tiles_are_those_of_the_whole(network, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (75, 61)).astype(np.uint8)
    save(image, tmp_path / "a.png")
    for tile, name in ((16, "tiles"), (1024, "whole")):
        (tmp_path / name).mkdir()
        files, settings = {"a": tmp_path / "a.png"}, networks.Settings(border=1.0)
        request = masks.Request(tile=tile, probability=True)
        written = masks.write_masks(network, files, tmp_path / name, settings, request)
        assert written == ([], [])
    maps = [tifffile.imread(tmp_path / name / "a_probability.tif") for name in ("tiles", "whole")]
    np.testing.assert_allclose(*maps, atol=1e-5)
    written = [np.asarray(Image.open(tmp_path / name / "a_predict.png")) for name in ("tiles", "whole")]
    np.testing.assert_array_equal(*written)
