import keras
import numpy as np
import pytest
from helpers import REPOSITORY, draw_section
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
from scipy import ndimage

import data
from segmentation import geometry
from segmentation.files import dataset, splits
from segmentation.training import batches


def test_the_folder_of_the_data_does_not_take_the_place_of_the_module():
    """`data/__init__.py` would: `import data` would then find the folder."""
    assert data.__file__ == str(REPOSITORY / "data.py")
    assert not (REPOSITORY / "data" / "__init__.py").exists()


def coded_pair(size=40):
    """An image that is its own label, in vertical stripes too wide for interpolation to hide."""
    label = np.zeros((size, size, 1), bool)
    label[:, size // 4 : size // 2] = True
    label[size // 2 :, : size // 4] = True
    return label.astype("float32"), label


def test_augment_moves_image_and_label_alike(monkeypatch):
    for change in ("CONTRAST", "BRIGHTNESS"):
        monkeypatch.setattr(data, change, 0)
    image, label = coded_pair()
    for seed in range(20):
        moved, moved_label = data.augment(image, label, np.random.default_rng(seed), data.Augmentation(noise=0))
        assert set(np.unique(moved_label)) <= {0, 1}
        # Interpolated halfway is white in the label too, but for pixels on an edge that rounds the other way.
        assert np.mean((moved > 0.5) == (moved_label > 0.5)) > 0.97


def test_augment_leaves_numpys_global_state_alone():
    image, label = coded_pair()
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    data.augment(image, label, np.random.default_rng(0), data.Augmentation())
    assert np.random.random() == expected


def test_variations_can_be_left_out(monkeypatch):
    monkeypatch.setattr(data, "make_generator", ImageDataGenerator)
    image, label = coded_pair()
    still, still_label = data.augment(
        image, label, np.random.default_rng(0), data.Augmentation(turns="none", grey=False)
    )
    np.testing.assert_array_equal(still, image)
    np.testing.assert_array_equal(still_label, label)
    assert not np.array_equal(
        data.augment(image, label, np.random.default_rng(0), data.Augmentation(turns="none"))[0], image
    )


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "constant"])
def test_transforms_are_those_of_keras(fill_mode, channels):
    ranges = {"rotation_range": 30, "shear_range": 20, "zoom_range": 0.3}
    ranges |= {"width_shift_range": 0.2, "height_shift_range": 9, "horizontal_flip": True, "vertical_flip": True}
    smooth = ImageDataGenerator(**ranges, fill_mode=fill_mode, interpolation_order=1)
    nearest = ImageDataGenerator(**ranges, fill_mode=fill_mode, interpolation_order=0)
    rng = np.random.default_rng(0)
    array = ndimage.gaussian_filter(rng.random((60, 60, channels), "float32"), (2, 2, 0))
    label = (array > np.median(array)).astype("float32")
    for _ in range(10):
        drawn = data.draw_transform(smooth, array.shape, rng)
        matrix = geometry.find_matrix(drawn, (60, 60))
        moved = data.transform(array, matrix, 1, fill_mode)
        moved_label = data.transform(label, matrix, 0, fill_mode)
        assert moved.shape == array.shape and moved.dtype == np.float32
        differs = np.abs(moved - smooth.apply_transform(array, drawn)) > 1e-5 * np.ptp(array)
        # A constant begins in SciPy with the last pixel, in OpenCV half a pixel beyond.
        assert differs.mean() < (0.05 if fill_mode == "constant" else 1e-3)
        assert (moved_label != nearest.apply_transform(label, drawn)).mean() < 0.02


def test_what_comes_in_from_outside_may_be_the_other_side():
    """SciPy's "wrap" has a period of one pixel less, so that it is no reference."""
    array = np.random.default_rng(0).random((20, 30, 2), "float32")
    matrix = np.array([[1.0, 0, 4], [0, 1, -3]])
    expected = np.roll(array, (3, -4), axis=(0, 1))
    np.testing.assert_allclose(data.transform(array, matrix, 1, "wrap"), expected, atol=1e-6)
    np.testing.assert_array_equal(data.transform(array, matrix, 0, "wrap"), expected)


def test_elastic_deformation_moves_image_and_label_alike_by_so_many_pixels():
    rows = np.mgrid[:60, :60][0].astype("float32")[..., np.newaxis]
    moves = []
    for seed in range(40):
        moved, label = data.deform(rows, rows, np.random.default_rng(seed), deviation=3)
        assert set(np.unique(label)) <= set(range(60))
        assert np.abs(moved - label).max() <= 0.51
        moves.append((moved - rows)[10:50, 10:50])
    # The nine points' displacements have a deviation of 3; splines between them stay near that.
    assert 2 < np.std(moves) < 3.5


def crops(**options):
    rng = np.random.default_rng(0)
    sections, classes = zip(*(draw_section(rng) for _ in range(3)), strict=True)
    sections = [section[..., np.newaxis] / np.float32(255) for section in sections]
    return data.Crops(sections, classes, crop=32, batch_size=2, steps=6, **options)


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

    source = crops()
    network = keras.Sequential([keras.layers.Input((None, None, 1)), keras.layers.Identity()])
    network.compile("sgd", SumOfImages())
    sums = []
    # Keras shows the mean of the losses so far.
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: sums.append(logs["loss"] * (batch + 1))
    )
    network.fit(
        batches.Batches(source, workers),
        epochs=2,
        verbose=0,
        shuffle=False,
        callbacks=[batches.FollowEpochs(source), watch],
    )
    expected = []
    for epoch in range(2):
        source.epoch = epoch
        expected.extend(np.cumsum([source[i][0].sum() for i in range(6)]))
    np.testing.assert_allclose(sums, expected, rtol=1e-5)


def test_sections_are_padded_and_weighed():
    images = [np.full((5, 7, 1), 0.5, "float32"), np.ones((8, 4, 1), "float32")]
    labels = [np.ones((5, 7), bool), np.zeros((8, 4), bool)]
    sections = data.Sections(images, labels, multiple=4)
    assert len(sections) == 2
    image, label, weight = sections[0]
    assert image.shape == label.shape == weight.shape == (1, 8, 8, 1)
    assert np.all(image == 0.5)
    assert np.all((weight > 0)[0, :5, :7])
    assert np.count_nonzero(weight) == 35
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(sections[1][0][0, :, :4], images[1])


def test_large_sections_are_cut_into_tiles_that_count_each_pixel_once(monkeypatch):
    monkeypatch.setattr(data, "LARGEST_TILE", 40)
    monkeypatch.setattr(data, "SMALLEST_TILE", 16)
    monkeypatch.setattr(data, "HALO", 4)
    rng = np.random.default_rng(0)
    images = [rng.random((height, width, 1), "float32") for height, width in ((30, 100), (37, 20), (90, 45))]
    labels = [rng.random(image.shape[:2]) < 0.3 for image in images]
    sections = data.Sections(images, labels, multiple=4)
    assert (sections.height, sections.width) == (40, 40)
    sums, counts = np.zeros((2, 3))
    for (i, *_), (tile, label, weight) in zip(sections.tiles, (sections[k] for k in range(len(sections))), strict=True):
        assert tile.shape == label.shape == weight.shape == (1, 40, 40, 1)
        sums[i] += np.sum(label * weight) / weight.size
        counts[i] += np.count_nonzero(weight)
    np.testing.assert_array_equal(counts, [label.size for label in labels])
    # Keras takes the mean over batches: that of the sections, in which each pixel counts alike.
    np.testing.assert_allclose(sums / len(sections) * 3, [label.mean() for label in labels], rtol=1e-5)


def test_of_very_large_sections_the_middle_is_scored(cells, monkeypatch):
    found = dataset.survey(cells, keep=True)
    sections = found.parts["train"].list_sections()
    pairs = data.take_pairs(found, sections, largest=400)
    whole = data.take_pairs(found, sections)
    assert pairs.images[0].shape == (20, 20, 1)
    np.testing.assert_array_equal(pairs.labels[0], whole.labels[0][14:34, 10:30])
    np.testing.assert_array_equal(np.asarray(pairs.images[0]), whole.images[0][14:34, 10:30])
    monkeypatch.setattr(splits, "SCORED", 2 * 48 * 40)
    assert [stem for stem, *_ in splits.thin(found, sections)] == ["s1", "s4"]


def test_crops_carry_border_weights_that_belong_to_the_labels():
    for i in range(6):
        _, label, weight = crops(border_weight=10)[i]
        assert weight.shape == label.shape
        assert weight[label == 0].mean() > weight[label == 1].max()
    narrower = crops(border_weight=10, border_sigma=2)[5][2]
    assert narrower.max() / narrower.min() < weight.max() / weight.min()


def test_half_of_the_crops_hold_some_of_a_rare_class():
    label = np.zeros((256, 256), bool)
    label[200:203, 30:33] = True
    image = np.zeros((256, 256, 1), "float32")
    options = {"crop": 32, "batch_size": 60, "steps": 1, "augmentation": data.Augmentation("none", grey=False)}
    options["holding"] = {1: [0]}
    anywhere, centred = (
        np.mean(data.Crops([image, image], [label, ~label & False], centred=share, **options)[0][1].max((1, 2)) > 0)
        for share in (0, 0.5)
    )
    assert anywhere < 0.2
    assert 0.35 < centred < 0.75
