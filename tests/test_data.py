import numpy as np
import pytest
from conftest import REPOSITORY, save

import data


def test_the_folder_of_the_data_does_not_take_the_place_of_the_module():
    """`data/__init__.py` would: `import data` would then find the folder."""
    assert data.__file__ == str(REPOSITORY / "data.py")
    assert not (REPOSITORY / "data" / "__init__.py").exists()


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
    (first, second), values = data.read_labels([tmp_path / "a.png", tmp_path / "b.png"])
    assert values == list(low_high)
    assert np.array_equal(first, cells)
    assert not second.any()


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


def test_variations_can_be_left_out(monkeypatch):
    monkeypatch.setattr(data.IMAGE_GENERATOR, "get_random_transform", lambda shape, seed: {})
    image, label = coded_pair()
    still, still_label = data.augment(image, label, np.random.default_rng(0), turns=False, grey=False)
    np.testing.assert_array_equal(still, image)
    np.testing.assert_array_equal(still_label, label)
    assert not np.array_equal(data.augment(image, label, np.random.default_rng(0), turns=False)[0], image)


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
