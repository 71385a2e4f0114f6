import re

import pytest

from segmentation.files import folders


def test_find_images_in_natural_order_without_predictions_and_foreign_files(tmp_path):
    for name in ("s10.png", "s2.PNG", "s2_predict.png", ".s1.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(folders.find_images(tmp_path)) == ["b", "s2", "s10"]
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        folders.find_images(tmp_path / "nowhere")


def test_natural_order_takes_any_name(tmp_path):
    for name in ("².png", "細胞 10.png", "細胞 9.png"):
        (tmp_path / name).touch()
    assert set(folders.find_images(tmp_path)) == {"²", "細胞 9", "細胞 10"}
    assert [stem for stem in folders.find_images(tmp_path) if stem != "²"] == ["細胞 9", "細胞 10"]


def test_two_images_of_one_stem_are_refused(tmp_path):
    for name in ("a.png", "a.tif"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"a\.(tif|png): has the same stem as .*a\.(tif|png)"):
        folders.find_images(tmp_path)


def test_inputs_are_files_folders_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/s2.png", "a/s10.tif", "a/s10_predict.png", "a/notes.txt", "b/x.bmp", "b/.y.png", "c/odd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def find(*patterns):
        return [file.as_posix() for file in folders.find_inputs(patterns).values()]

    assert find("a") == ["a/s2.png", "a/s10.tif"]
    assert find("a/*", "b/x.bmp") == ["a/s2.png", "a/s10.tif", "b/x.bmp"]
    assert find("**/*.*") == ["a/s2.png", "a/s10.tif", "b/x.bmp"]
    assert find("c/odd") == ["c/odd"]
    for nothing in ("d", "c", "*.gif"):
        with pytest.raises(ValueError, match=f"{re.escape(nothing)}: no images there"):
            find(nothing)
    assert find("a", "a/s2.png") == ["a/s2.png", "a/s10.tif"]
    (tmp_path / "b/s2.tif").touch()
    with pytest.raises(ValueError, match=r"b/s2.tif: has the same stem as a/s2.png"):
        find("a", "b/s2.tif")
