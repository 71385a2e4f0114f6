import errno
import json
import shutil

import numpy as np
import pytest
from helpers import SMALL, draw_dataset, draw_section, save

import data
import main
from segmentation.sources import contents, convert


def draw_source(folder, seed=0, said=None):
    """Three images and their labels in images/ and masks/, as many give them away."""
    rng = np.random.default_rng(seed)
    for i in range(3):
        image, label = draw_section(rng)
        save(image, folder / "images" / f"{i}.png")
        save(label, folder / "masks" / f"{i}.png")
    return folder


def test_the_command_brings_a_dataset_that_can_be_trained_on(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = draw_source(tmp_path / "source")
    assert data.main([str(source), "--to", "new"]) == 0
    printed = capsys.readouterr().out
    assert "train: images 3, of which labelled 3." in printed and "Next: python data.py new" in printed
    assert data.main(["new"]) == 0
    assert main.main(["--data", str(source)]) == 2
    assert "--to DIR" in capsys.readouterr().err
    assert main.main(["--data", "new", *SMALL, "--epochs", "1"]) == 0


def test_several_sources_are_merged_under_their_names(tmp_path):
    sources = [draw_source(tmp_path / name, seed) for seed, name in enumerate(("monday", "friday"))]
    text = convert.convert(sources, tmp_path / "new")
    names = {
        file.relative_to(tmp_path / "new/train/image").as_posix() for file in (tmp_path / "new").rglob("image/*/*")
    }
    assert names == {f"{day}/{i}.png" for day in ("monday", "friday") for i in range(3)}
    assert text.count("of which labelled 3") == 2


def test_sources_of_other_classes_are_not_merged(tmp_path):
    cells, roots = (draw_dataset(tmp_path / name) for name in ("cells", "roots"))
    (roots / "dataset.json").write_text(json.dumps({"labels": {"soil": 0, "root": 255}}))
    with pytest.raises(ValueError, match="roots: its labels are not those of"):
        convert.convert([cells, roots], tmp_path / "new")


def test_namesakes_are_refused(tmp_path):
    sources = [draw_source(tmp_path / place / "data", seed) for seed, place in enumerate("ab")]
    with pytest.raises(ValueError, match=r"2 images of train/ would be called data/0"):
        convert.convert(sources, tmp_path / "new")


def test_what_is_there_is_not_written_over(tmp_path, capsys):
    source = draw_source(tmp_path / "source")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("kept")
    assert data.main([str(source), "--to", str(tmp_path / "new")]) == 2
    assert "new: is there already" in capsys.readouterr().err
    assert data.main([str(source), "--to", str(source / "new")]) == 2
    assert "left as it is" in capsys.readouterr().err
    assert data.main([str(tmp_path / "nowhere"), "--to", str(tmp_path / "other")]) == 2
    assert "no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        data.main([str(source), str(source)])


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device. Nothing was written."),
        (ValueError("b.png: cannot be read."), 2, "data.py: b.png: cannot be read."),
    ],
)
def test_nothing_half_made_is_left(error, code, told, tmp_path, monkeypatch, capsys):
    source, copied, copy = draw_source(tmp_path / "source"), [], shutil.copyfile

    def fail_at_the_third(source, path):
        if len(copied) == 2:
            raise error
        copied.append(copy(source, path))

    monkeypatch.setattr(convert.shutil, "copyfile", fail_at_the_third)
    assert data.main([str(source), "--to", str(tmp_path / "new")]) == code
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_a_killed_run_left_is_taken_over(tmp_path):
    (tmp_path / ".unfinished-new" / "train").mkdir(parents=True)
    (tmp_path / ".unfinished-new" / "train" / "old.png").write_text("")
    convert.convert([draw_source(tmp_path / "source")], tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new" / "train").iterdir()) == ["image", "label"]
    assert not (tmp_path / ".unfinished-new").exists()


def test_channels_of_other_sizes_are_refused_by_name(tmp_path):
    save(np.zeros((4, 4), np.uint8), tmp_path / "a_0000.png")
    save(np.zeros((4, 5), np.uint8), tmp_path / "a_0001.png")
    with pytest.raises(ValueError, match=r"a_0001\.png: expected one channel"):
        contents.join_channels([tmp_path / "a_0000.png", tmp_path / "a_0001.png"])
