import numpy as np
import pytest
from conftest import draw_section, save
from PIL import Image

import formats


def test_find_images_in_natural_order_without_predictions_and_foreign_files(tmp_path):
    for name in ("s10.png", "s2.PNG", "s2_predict.png", ".s1.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(formats.find_images(tmp_path)) == ["b", "s2", "s10"]
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        formats.find_images(tmp_path / "nowhere")


def test_natural_order_takes_any_name(tmp_path):
    for name in ("².png", "細胞 10.png", "細胞 9.png"):
        (tmp_path / name).touch()
    assert set(formats.find_images(tmp_path)) == {"²", "細胞 9", "細胞 10"}
    assert [stem for stem in formats.find_images(tmp_path) if stem != "²"] == ["細胞 9", "細胞 10"]


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    for name in ("text.png", "empty.png", "cut.png"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            formats.read_array(tmp_path / name)
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match=r"colour.png: expected an 8-bit grey image, found mode RGB"):
        formats.read_array(tmp_path / "colour.png")


def test_whole_file_leaves_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), formats.whole_file(path) as temporary:
        temporary.write_text("ha")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]
    assert path.read_text() == "old"


def test_write_mask_is_8_bit_black_and_white(tmp_path):
    formats.write_mask(tmp_path / "mask.png", np.array([[True, False]]))
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "L"
        assert np.asarray(mask).tolist() == [[255, 0]]
