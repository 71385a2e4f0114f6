import keras
import numpy as np
import pytest
from helpers import small_network

from model import unet
from segmentation import geometry
from segmentation.prediction import masks, tiling


def test_size_multiple_is_two_to_the_depth():
    assert tiling.size_multiple(unet(width=2, depth=2)) == 4
    assert tiling.size_multiple(unet(width=2, depth=3)) == 8


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_halo_is_as_wide_as_one_changed_pixel_is_seen_from_an_edge_of_the_grid(depth):
    network, multiple = small_network(depth), 2**depth
    side, edge, halo = 24 * multiple, 12 * multiple, tiling.find_halo(network)
    image = np.random.default_rng(0).random((side, side, 1), "float32")
    before = masks.predict(network, image, turns="none")
    seen = {"above": 0, "below": 0}
    for distance in range(halo - multiple + 1, halo + 3 * multiple):
        for name, y, inside in (
            ("above", edge - distance, slice(edge, None)),
            ("below", edge + distance - 1, slice(edge)),
        ):
            changed = image.copy()
            changed[y, edge] += 100
            if np.any(masks.predict(network, changed, turns="none")[inside] != before[inside]):
                seen[name] = distance
    assert halo == geometry.round_up(seen["above"], multiple) == geometry.round_up(seen["below"], multiple)


def test_halo_by_hand():
    # Depth 1: two convolutions of radius 1; two at two pixels a step, one of which the first two needed; then two more.
    assert tiling.find_halo(unet(width=2, depth=1)) == 2 * (1 + 2) + 2
    layers = keras.layers

    def halo(*parts):
        return tiling.find_halo(keras.Sequential([layers.Input((None, None, 1)), *parts]))

    assert halo(layers.Conv2D(1, 3, dilation_rate=2), layers.ReLU()) == 2
    assert halo(layers.Conv2D(1, 5, strides=2, padding="same"), layers.UpSampling2D(2)) == 2
    assert halo(layers.MaxPooling2D(2), layers.UpSampling2D(2)) == 0
    assert halo(layers.MaxPooling2D(2), layers.UpSampling2D(2, interpolation="bilinear")) == 2
    assert halo(layers.MaxPooling2D(2), layers.Conv2DTranspose(1, 4, strides=2, padding="same")) == 2
    with pytest.raises(ValueError, match="looks at the whole image"):
        halo(layers.GlobalAveragePooling2D(keepdims=True))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("shape", [(96, 96), (97, 130), (33, 201)])
@pytest.mark.parametrize("tile", [24, 40])
def test_tiled_equals_whole(depth, shape, tile):
    network = small_network(depth)
    image = np.random.default_rng(1).random((*shape, 1), "float32")
    whole = masks.predict(network, image, turns="none", tile=10_000)
    np.testing.assert_allclose(masks.predict(network, image, turns="none", tile=tile), whole, atol=1e-5)
    # A halo that is too narrow would show.
    assert np.ptp(whole) > 0.01


def test_tiles_are_as_large_as_the_widest_layer_allows(monkeypatch):
    assert tiling.fitting_tile(unet(width=2, depth=1)) == tiling.fitting_tile(unet(width=12)) == tiling.TILE
    side = tiling.fitting_tile(unet(width=64)) + 2 * 96
    # The widest layer of a U-Net joins the channels of the skip and of the level below, at full resolution.
    assert 128 * side**2 <= tiling.WIDEST < 128 * (side + 16) ** 2
    monkeypatch.setattr(tiling, "WIDEST", 1000)
    assert tiling.fitting_tile(unet(width=12)) == tiling.SMALLEST_TILE


def test_a_network_that_looks_at_the_whole_image_takes_it_in_one_piece():
    inputs = keras.layers.Input((None, None, 1))
    weight = keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    network = keras.Model(inputs, keras.layers.Multiply()([inputs, weight]))
    image = np.full((tiling.SMALLEST_TILE + 10, 20, 1), 0.5, "float32")
    np.testing.assert_allclose(masks.predict(network, image, turns="none"), 0.25)


def test_out_of_memory_tiles_get_smaller(monkeypatch, capsys):
    network, predict_window, sides = small_network(1), tiling._predict_window, []

    def limited(network, image):
        sides.append(max(image.shape))
        if max(image.shape) > 100:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 999 bytes")
        return predict_window(network, image)

    image = np.random.default_rng(1).random((150, 300, 1), "float32")
    whole = masks.predict(network, image, turns="none")
    monkeypatch.setattr(tiling, "_predict_window", limited)
    monkeypatch.setattr(tiling, "SMALLEST_TILE", 64)
    np.testing.assert_allclose(masks.predict(network, image, turns="none"), whole, atol=1e-5)
    assert max(sides[-1:]) <= 100 < sides[1] < sides[0] == 300
    assert "going on with tiles of 75 pixels" in capsys.readouterr().err
    monkeypatch.setattr(tiling, "SMALLEST_TILE", 128)
    with pytest.raises(ValueError, match="out of memory with tiles of 150 pixels"):
        masks.predict(network, image, turns="none")


def test_flips_are_averaged_in_tiles_too():
    network = small_network(2)
    image = np.random.default_rng(1).random((70, 90, 1), "float32")
    whole = masks.predict(network, image, turns="all", tile=10_000)
    np.testing.assert_allclose(masks.predict(network, image, turns="all", tile=32), whole, atol=1e-5)
