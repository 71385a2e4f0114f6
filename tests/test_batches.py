import keras
import numpy as np
import pytest
from conftest import draw_section

import batches


def crops(workers=1, **options):
    rng = np.random.default_rng(0)
    images, labels = zip(*(draw_section(rng) for _ in range(3)), strict=True)
    images = [image[..., np.newaxis] / np.float32(255) for image in images]
    return batches.Crops(images, labels, crop=32, batch_size=2, steps=6, workers=workers, **options)


def test_crops_have_the_promised_shapes():
    image, label = crops()[0]
    assert image.shape == label.shape == (2, 32, 32, 1)
    assert image.dtype == label.dtype == np.float32
    assert set(np.unique(label)) == {0, 1}


def test_crops_depend_on_seed_epoch_and_index_alone():
    first, again = crops(), crops()
    np.testing.assert_array_equal(first[3][0], again[3][0])
    assert not np.array_equal(first[3][0], first[4][0])
    assert not np.array_equal(first[3][0], crops(seed=1)[3][0])
    first.epoch = 1
    assert not np.array_equal(first[3][0], again[3][0])


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_fit_trains_on_the_same_batches_in_order_whatever_the_number_of_workers(workers):
    class SumOfImages(keras.losses.Loss):
        """Reports each batch's sum: the network passes images through unchanged."""

        def call(self, y_true, y_pred):
            return keras.ops.sum(y_pred)

    source = crops(workers)
    network = keras.Sequential([keras.layers.Input((None, None, 1)), keras.layers.Identity()])
    network.compile("sgd", SumOfImages())
    sums = []
    # Keras shows the mean of the losses so far.
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: sums.append(logs["loss"] * (batch + 1))
    )
    network.fit(source, epochs=2, verbose=0, shuffle=False, callbacks=[batches.FollowEpochs(source), watch])
    expected = []
    for epoch in range(2):
        source.epoch = epoch
        expected.extend(np.cumsum([source[i][0].sum() for i in range(6)]))
    np.testing.assert_allclose(sums, expected, rtol=1e-5)


def test_sections_are_padded_and_weighed():
    images = [np.full((5, 7, 1), 0.5, "float32"), np.ones((8, 4, 1), "float32")]
    labels = [np.ones((5, 7), bool), np.zeros((8, 4), bool)]
    sections = batches.Sections(images, labels, multiple=4)
    assert len(sections) == 2
    image, label, weight = sections[0]
    assert image.shape == label.shape == weight.shape == (1, 8, 8, 1)
    assert np.all(image == 0.5)
    assert np.all((weight > 0)[0, :5, :7])
    assert np.count_nonzero(weight) == 35
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(sections[1][0][0, :, :4], images[1])


@pytest.mark.parametrize("sigma", [2, 5])
def test_border_weights_by_hand(sigma):
    # Two cells of one row, three pixels of membrane between them: the distances to both add up to 4 everywhere there.
    label = np.array([[True, False, False, False, True]])
    expected = np.array([[1, *[1 + 10 * np.exp(-(4**2) / (2 * sigma**2))] * 3, 1]])
    np.testing.assert_allclose(batches.weigh_borders(label, 10, sigma), expected / expected.mean(), rtol=1e-6)


def test_border_weights_fall_with_the_width_and_need_two_cells():
    label = np.ones((20, 60), bool)
    label[:, 10:12] = label[:, 40:50] = False
    weights = batches.weigh_borders(label, 10)
    assert weights[5, 10] > weights[5, 45] > weights[5, 30]
    assert weights.mean() == pytest.approx(1, rel=1e-6)
    np.testing.assert_array_equal(batches.weigh_borders(np.ones((4, 4), bool), 10), 1)


def test_crops_carry_border_weights_that_belong_to_the_labels():
    for i in range(6):
        _, label, weight = crops(border_weight=10)[i]
        assert weight.shape == label.shape
        assert weight[label == 0].mean() > weight[label == 1].max()
    narrower = crops(border_weight=10, border_sigma=2)[5][2]
    assert narrower.max() / narrower.min() < weight.max() / weight.min()
