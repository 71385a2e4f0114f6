import keras
from PIL import Image

from img import draw
from model import unet
from segmentation.training import callbacks


def test_command_makes_every_picture_of_the_readme(cells, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    unet(width=2, depth=1).save(run / "model.keras")
    kept = callbacks.Checkpoint(run)
    kept.set_model(keras.saving.load_model(run / "model.keras"))
    kept.on_epoch_begin(0)
    kept.on_epoch_end(0, {"loss": 1, "val_loss": 1})
    options = ["--data", str(cells), "--run", str(run), "--out", str(tmp_path / "img")]
    assert draw.main(options) == 0
    names = {"section.png", "mask.png", "overlay.png", "curves.png", "network.png"}
    assert {file.name for file in (tmp_path / "img").iterdir()} == names
    with Image.open(tmp_path / "img" / "overlay.png") as picture:
        assert picture.size == (53, 37)


def test_command_without_a_run_says_so(cells, tmp_path, capsys):
    assert draw.main(["--data", str(cells), "--run", str(tmp_path / "none")]) == 2
    assert "none/model.keras: no such file" in capsys.readouterr().err
