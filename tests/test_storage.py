import errno

import numpy as np
import pytest

from segmentation.files import scaling, storage


def test_arrays_are_kept_while_there_is_room(monkeypatch):
    store = storage.Store(room=100)
    first, second = np.zeros(60, np.uint8), np.zeros(60, np.uint8)
    assert store.keep(first) is first
    assert store.keep(second) is None
    assert store.keep(second[:40]) is not None
    monkeypatch.setattr(storage, "LARGE", 50)
    large = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    mapped = store.keep(large)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, large)


def test_a_view_does_not_keep_what_it_is_a_part_of():
    colours = np.zeros((4, 4, 3), np.uint8)
    assert storage.Store().keep(colours[..., 0]).base is None


def test_a_full_disk_is_an_error_that_names_the_folder(monkeypatch):
    def fill_up():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "LARGE", 1)
    monkeypatch.setattr(storage.tempfile, "TemporaryFile", fill_up)
    with pytest.raises(OSError, match="No space left") as error:
        storage.Store(room=0).keep(np.zeros((2, 2), np.uint8))
    assert error.value.filename == storage.tempfile.gettempdir()


def test_lazy_arrays_are_made_when_asked_for():
    made = []
    lazy = storage.Lazy(lambda i: made.append(i) or np.full(2, i), range(5))
    assert len(lazy) == 5 and not made
    assert [array[0] for array in lazy[1::2]] == [1, 3]
    assert lazy[4][0] == lazy[4][0] == 4 and made == [1, 3, 4]


@pytest.mark.parametrize("rule", scaling.RULES)
def test_a_part_of_an_image_is_scaled_like_the_whole(rule):
    image = np.random.default_rng(0).integers(100, 3000, (20, 30, 2), np.uint16)
    chosen = scaling.choose([scaling.survey(image[np.newaxis])], rule)
    reads = []
    scaled = storage.Scaled(lambda: reads.append(1) or image, (10, 30, 2), chosen, np.s_[5:15, 0:30])
    assert not reads and scaled.shape == (10, 30, 2) and len(scaled) == 10
    whole = scaling.scale(image, scaling.fit(chosen, image))[5:15]
    np.testing.assert_array_equal(scaled[2:4, 7:9], whole[2:4, 7:9])
    np.testing.assert_array_equal(scaled[..., 1], whole[..., 1])
    np.testing.assert_array_equal(np.asarray(scaled), whole)
