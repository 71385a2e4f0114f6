import keras
import numpy as np
import pytest
from conftest import draw_section, save
from PIL import Image

import data


def test_find_images_in_natural_order_without_predictions_and_foreign_files(tmp_path):
    for name in ("s10.png", "s2.PNG", "s2_predict.png", ".s1.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(data.find_images(tmp_path)) == ["b", "s2", "s10"]
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        data.find_images(tmp_path / "nowhere")


def test_natural_order_takes_any_name(tmp_path):
    for name in ("².png", "細胞 10.png", "細胞 9.png"):
        (tmp_path / name).touch()
    assert set(data.find_images(tmp_path)) == {"²", "細胞 9", "細胞 10"}
    assert [stem for stem in data.find_images(tmp_path) if stem != "²"] == ["細胞 9", "細胞 10"]


def test_read_image_scales_by_dtype_not_by_content(tmp_path):
    save(np.array([[0, 51], [102, 51]], np.uint8), tmp_path / "dark.png")
    image = data.read_image(tmp_path / "dark.png")
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[..., 0], [[0, 0.2], [0.4, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("low_high", [(0, 1), (0, 128), (0, 255), (10, 200)])
def test_the_higher_label_value_is_inside(tmp_path, low_high):
    cells = np.array([[True, False], [True, True]])
    save(np.where(cells, *reversed(low_high)).astype(np.uint8), tmp_path / "a.png")
    save(np.full((1, 2), low_high[0], np.uint8), tmp_path / "b.png")  # a section of membrane alone
    first, second = data.read_labels([tmp_path / "a.png", tmp_path / "b.png"])
    assert np.array_equal(first, cells)
    assert not second.any()


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    for name in ("text.png", "empty.png", "cut.png"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            data.read_array(tmp_path / name)
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match=r"colour.png: expected an 8-bit grey image, found mode RGB"):
        data.read_array(tmp_path / "colour.png")


def test_split_holds_out_the_last_block():
    assert data.split(30, 0.2) == (slice(0, 24), slice(24, 30))
    assert data.split(4, 0.01) == (slice(0, 3), slice(3, 4))


def coded_pair(size=40):
    """An image that is its own label, in vertical stripes too wide for interpolation to hide."""
    label = np.zeros((size, size, 1), bool)
    label[:, size // 4 : size // 2] = True
    label[size // 2 :, : size // 4] = True
    return label.astype("float32"), label


def test_augment_moves_image_and_label_alike(monkeypatch):
    for change in ("CONTRAST", "BRIGHTNESS", "NOISE"):
        monkeypatch.setattr(data, change, 0)
    image, label = coded_pair()
    for seed in range(20):
        moved, moved_label = data.augment(image, label, np.random.default_rng(seed))
        assert set(np.unique(moved_label)) <= {0, 1}
        # Interpolated halfway is white in the label too, but for pixels on an edge that rounds the other way.
        assert np.mean((moved > 0.5) == (moved_label > 0.5)) > 0.97


def test_augment_leaves_numpys_global_state_alone():
    image, label = coded_pair()
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    data.augment(image, label, np.random.default_rng(0))
    assert np.random.random() == expected


def crops(workers=1, **options):
    rng = np.random.default_rng(0)
    images, labels = zip(*(draw_section(rng) for _ in range(3)), strict=True)
    images = [image[..., np.newaxis] / np.float32(255) for image in images]
    return data.Crops(images, labels, crop=32, batch_size=2, steps=6, workers=workers, **options)


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
    network.fit(source, epochs=2, verbose=0, shuffle=False, callbacks=[data.FollowEpochs(source), watch])
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


def test_whole_file_leaves_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), data.whole_file(path) as temporary:
        temporary.write_text("ha")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]
    assert path.read_text() == "old"


def test_write_mask_is_8_bit_black_and_white(tmp_path):
    data.write_mask(tmp_path / "mask.png", np.array([[True, False]]))
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "L"
        assert np.asarray(mask).tolist() == [[255, 0]]
