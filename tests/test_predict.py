import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile
from helpers import draw_section, save
from PIL import Image

import predict
import segmentation.volumes
from model import unet
from segmentation import arguments
from segmentation.files import images
from segmentation.prediction import masks, networks, watershed
from segmentation.training import runs


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return unet(width=4, depth=2, dropout=0)


@pytest.fixture(scope="module")
def model_file(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "model.keras"
    network.save(file)
    return str(file)


def test_the_networks_own_border_is_used_unless_one_is_given(network, tmp_path, monkeypatch):
    borders = []

    def to_mask(probability, border, threshold):
        borders.append(border)
        return probability > threshold

    monkeypatch.setattr(watershed, "mask_cells", to_mask)
    networks.save_network(network, tmp_path / "own.keras", networks.Settings(border=0.45))
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "a.png")
    for options in ([], ["--border", "1"]):
        assert predict.main([str(tmp_path / "a.png"), "--model", str(tmp_path / "own.keras"), *options]) == 0
    assert borders == [0.45, 1]


def test_folder_in_masks_and_probabilities_out(model_file, network, tmp_path):
    rng = np.random.default_rng(0)
    for stem in ("2", "10"):
        save(draw_section(rng, 33, 41)[0], tmp_path / "in" / f"{stem}.png")
    out = tmp_path / "new" / "out"
    options = ["--model", model_file, "--out", str(out), "--threshold", "0.4", "--probability"]
    assert predict.main([str(tmp_path / "in"), *options]) == 0
    names = {"2_predict.png", "2_probability.tif", "10_predict.png", "10_probability.tif"}
    assert {file.name for file in out.iterdir()} == names
    inside = tifffile.imread(out / "2_probability.tif")
    assert inside.dtype == np.float32
    np.testing.assert_allclose(inside, masks.predict(network, images.read_array(tmp_path / "in" / "2.png")), atol=1e-6)
    with Image.open(out / "2_predict.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), np.where(inside > 0.4, 255, 0))


def test_one_image_is_written_beside_it_and_never_read_back(model_file, tmp_path):
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "cell 1.png")
    for _ in range(2):
        assert predict.main([str(tmp_path / "cell 1.png"), "--model", model_file]) == 0
        assert predict.main([str(tmp_path), "--model", model_file]) == 0
        assert sorted(file.name for file in tmp_path.iterdir()) == ["cell 1.png", "cell 1_predict.png"]


def test_users_mistakes_are_one_sentence(model_file, tmp_path, capsys):
    image = tmp_path / "in" / "a.png"
    save(draw_section(np.random.default_rng(0))[0], image)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.png").write_text("no image")
    colour = unet((None, None, 3), width=2, depth=1)
    colour.save(tmp_path / "colour.keras")
    unet((None, None, 2), width=2, depth=1).save(tmp_path / "two.keras")
    for options, message in [
        ([tmp_path / "nowhere"], "nowhere: no images there"),
        ([tmp_path / "empty"], "empty: no images there"),
        ([tmp_path / "text.png"], "text.png: cannot be read"),
        ([image, "--model", tmp_path / "none.keras"], "none.keras: no such file"),
        ([image, "--model", tmp_path / "text.keras"], "text.keras: cannot be loaded"),
        ([image, "--model", tmp_path / "two.keras"], "a.png: expected 2 channels, as in training, found 1"),
        ([image, "--model", tmp_path / "colour.keras"], "a.png: expected 3 channels, as in training, found 1"),
        ([image, "--out", image], "a.png"),
    ]:
        assert predict.main(["--model", model_file, *map(str, options)]) == 2
        error = capsys.readouterr().err
        assert message in error.splitlines()[-1]
        assert "Traceback" not in error


def test_bad_images_are_named_and_the_others_predicted(model_file, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for stem in ("a", "c"):
        save(draw_section(rng)[0], tmp_path / f"{stem}.png")
    (tmp_path / "b.png").write_text("no image")
    tifffile.imwrite(tmp_path / "d.tif", np.full((8, 8), 7, "float32"))
    assert predict.main([str(tmp_path), "--model", model_file]) == 2
    printed = capsys.readouterr()
    assert "2 masks written" in printed.out
    for message in (
        "b.png: cannot be read",
        "d.tif: expected 8 or 16 bits without sign, or floats between 0 and 1, as in training, found float32, 7",
    ):
        assert message in printed.err
    assert {file.name for file in tmp_path.glob("*_predict.*")} == {"a_predict.png", "c_predict.png"}


def test_a_stack_becomes_a_stack_of_its_size(model_file, tmp_path):
    stack = np.random.default_rng(0).integers(0, 65535, (3, 21, 34)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4, 4), metadata={"axes": "ZYX"})
    assert predict.main([str(tmp_path), "--model", model_file, "--probability"]) == 0
    with tifffile.TiffFile(tmp_path / "a_predict.tif") as masks:
        assert masks.asarray().shape == stack.shape
        assert masks.pages[0].resolution == (4, 4)
        assert set(np.unique(masks.asarray())) <= {0, 255}
    maps = tifffile.imread(tmp_path / "a_probability.tif")
    np.testing.assert_array_equal(maps > 0.5, tifffile.imread(tmp_path / "a_predict.tif") == 255)
    assert predict.main([str(tmp_path), "--model", model_file]) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_colour_images_are_predicted_by_a_network_of_three_channels(tmp_path):
    unet((None, None, 3), width=2, depth=1).save(tmp_path / "colour.keras")
    save(np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8), tmp_path / "in" / "a.jpg")
    assert predict.main([str(tmp_path / "in"), "--model", str(tmp_path / "colour.keras")]) == 0
    with Image.open(tmp_path / "in" / "a_predict.png") as mask:
        assert mask.size == (30, 20)


def test_a_missing_package_of_volumes_is_named_with_the_extra_that_brings_it(model_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "zarr", None)  # as if it were not installed
    for name in ("chunks", "reading"):
        monkeypatch.delitem(sys.modules, f"segmentation.volumes.{name}", raising=False)
        monkeypatch.delattr(segmentation.volumes, name, raising=False)
    assert predict.main([str(tmp_path / "a.zarr"), "--model", model_file]) == 2
    assert capsys.readouterr().err == 'predict.py: zarr is not installed: pip install -e ".[volumes]"\n'


def test_a_missing_decoder_is_said_of_its_image_and_not_of_volumes(model_file, tmp_path, monkeypatch, capsys):
    def read(file):
        raise ModuleNotFoundError("No module named 'imagecodecs'", name="imagecodecs")

    monkeypatch.setitem(images.READERS, ".png", read)
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "a.png")
    assert predict.main([str(tmp_path / "a.png"), "--model", model_file]) == 2
    error = capsys.readouterr().err
    assert "a.png: cannot be read as an image (No module named 'imagecodecs')" in error
    assert "volumes" not in error


def test_the_first_line_says_which_network_predicts_and_what_it_was_trained_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "a.png")
    assert predict.main(["a.png"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"Network: {arguments.PRETRAINED}, trained on data/membrane."
    run = tmp_path / "runs" / "nuclei"
    runs.open_run(run, {"seed": 0, "resume": False, "data": Path("data/nuclei")})
    networks.save_network(unet(width=2, depth=1), run / "model.keras")
    assert predict.main(["a.png"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == first, "a run that has not ended is no default"
    runs.close_run(run, {"seed": 0, "data": Path("data/nuclei")}, scores={})
    assert predict.main(["a.png"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "Network: runs/nuclei/model.keras, trained on data/nuclei."


@pytest.mark.parametrize(
    "option", [["--threshold", "50"], ["--threshold", "nan"], ["--border", "-1"], ["--border", "7"]]
)
def test_thresholds_are_shares(option, capsys):
    with pytest.raises(SystemExit):
        predict.parse(["image.png", *option])
    assert "expected a number from 0 to 1" in capsys.readouterr().err


def test_the_result_of_an_array_in_a_file_lies_beside_the_file():
    for volume in ("day/b.h5/raw/data", "day/b.zarr/0", "day/b.zarr", "day/b.tif"):
        assert predict.place_beside(Path(volume)) == Path("day/b_predict.zarr")
