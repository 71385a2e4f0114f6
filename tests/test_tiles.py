import keras
import numpy as np
import pytest

import predict
import tiles
from model import unet


def build(depth, seed=0):
    """A network whose normalisation, as after training, is none of 0 and 1."""
    keras.utils.set_random_seed(seed)
    network = unet(width=2, depth=depth, dropout=0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.full(layer.moving_mean.shape, -0.3))
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.5))
    return network


def test_size_multiple_is_two_to_the_depth():
    assert tiles.size_multiple(unet(width=2, depth=2)) == 4
    assert tiles.size_multiple(unet(width=2, depth=3)) == 8


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_radius_holds_where_one_pixel_changes(depth):
    network, radius = build(depth), tiles.receptive_radius(unet(width=2, depth=depth))
    side, middle = 16 * 2**depth, 8 * 2**depth
    image = np.random.default_rng(0).random((side, side, 1), "float32")
    reached = 0
    for y in range(middle, middle + 2**depth):
        changed = image.copy()
        changed[y, middle] += 100
        before, after = (predict.predict(network, one, flips=False) for one in (image, changed))
        rows = np.flatnonzero(np.any(before != after, axis=1))
        reached = max(reached, y - rows.min(), rows.max() - y)
    # The bound adds up the worst of every layer; it is not more than a step of the coarsest grid too wide.
    assert radius - 2**depth <= reached <= radius


def test_receptive_radius_by_hand():
    # Depth 1: two convolutions of radius 1; pooling adds 1; two at two pixels a step; the transposed convolution takes
    # each value from one; two of radius 1.
    assert tiles.receptive_radius(unet(width=2, depth=1)) == 2 + 1 + 4 + 0 + 2
    layers = keras.layers
    network = keras.Sequential([layers.Input((None, None, 1)), layers.Conv2D(1, 3, dilation_rate=2), layers.ReLU()])
    assert tiles.receptive_radius(network) == 2
    network = keras.Sequential([layers.Input((None, None, 1)), layers.GlobalAveragePooling2D(keepdims=True)])
    with pytest.raises(ValueError, match="looks at the whole image"):
        tiles.receptive_radius(network)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("shape", [(96, 96), (97, 130), (33, 201)])
@pytest.mark.parametrize("tile", [24, 40])
def test_tiled_equals_whole(depth, shape, tile):
    network = build(depth)
    image = np.random.default_rng(1).random((*shape, 1), "float32")
    whole = predict.predict(network, image, flips=False, tile=10_000)
    np.testing.assert_allclose(predict.predict(network, image, flips=False, tile=tile), whole, atol=1e-5)
    # A halo that is too narrow would show.
    assert np.ptp(whole) > 0.01


def test_flips_are_averaged_in_tiles_too():
    network = build(2)
    image = np.random.default_rng(1).random((70, 90, 1), "float32")
    whole = predict.predict(network, image, flips=True, tile=10_000)
    np.testing.assert_allclose(predict.predict(network, image, flips=True, tile=32), whole, atol=1e-5)


def test_cut_covers_each_pixel_once_on_the_grid():
    seen = np.zeros((50, 75), int)
    windows = list(tiles.cut(50, 75, tile=16, halo=8, multiple=4))
    for window, inner, outer in windows:
        assert all(part.start % 4 == 0 for part in window)
        assert [part.stop - part.start for part in inner] == [part.stop - part.start for part in outer]
        seen[outer] += 1
    assert np.all(seen == 1)
    assert {tuple(part.stop - part.start for part in window) for window, _, _ in windows} == {(32, 32)}
