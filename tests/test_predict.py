import keras
import numpy as np
import pytest
import tifffile
from conftest import draw_section, save
from PIL import Image

import data
import predict
import record
from model import unet


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return unet(width=4, depth=2, dropout=0)


@pytest.fixture(scope="module")
def model_file(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "model.keras"
    network.save(file)
    return str(file)


def test_size_multiple_is_two_to_the_depth(network):
    assert predict.size_multiple(network) == 4
    assert predict.size_multiple(unet(width=2, depth=3)) == 8


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (5, 3)])
def test_predict_keeps_the_size(network, shape):
    image = np.random.default_rng(0).random((*shape, 1), "float32")
    inside = predict.predict(network, image)
    assert inside.shape == shape
    assert inside.dtype == np.float32


def test_a_size_that_fits_is_not_padded(network):
    image = np.random.default_rng(0).random((16, 24, 1), "float32")
    direct = keras.ops.convert_to_numpy(network(image[np.newaxis]))[0, ..., 0]
    np.testing.assert_allclose(predict.predict(network, image), direct, atol=1e-6)


def test_flips_make_no_difference_to_a_turned_image(network):
    image = np.random.default_rng(0).random((16, 24, 1), "float32")
    inside = predict.predict(network, image, flips=True)
    assert inside.shape == (16, 24)
    assert np.abs(inside - predict.predict(network, image)).max() > 1e-3
    for k in range(8):
        turned = predict.predict(network, data.turn(image, k), flips=True)
        np.testing.assert_allclose(turned, data.turn(inside, k), atol=1e-6)


def test_a_network_keeps_its_settings_and_others_have_none(network, model_file, tmp_path):
    record.save_network(network, tmp_path / "own.keras", border=0.45)
    assert predict.load_network(tmp_path / "own.keras")[1] == {"border": 0.45}
    assert predict.load_network(model_file)[1] == {"border": 1.0}


def test_the_networks_own_border_is_used_unless_one_is_given(network, tmp_path, monkeypatch):
    borders = []
    monkeypatch.setattr(
        predict.cells, "to_mask", lambda inside, border, threshold: borders.append(border) or inside > 0
    )
    record.save_network(network, tmp_path / "own.keras", border=0.45)
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
    np.testing.assert_allclose(inside, predict.predict(network, data.read_image(tmp_path / "in" / "2.png")), atol=1e-6)
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
    for arguments, message in [
        ([tmp_path / "nowhere"], "nowhere: no such folder"),
        ([tmp_path / "empty"], "empty: no images"),
        ([tmp_path / "text.png"], "text.png: cannot be read"),
        ([image, "--model", tmp_path / "none.keras"], "none.keras: no such file"),
        ([image, "--model", tmp_path / "text.keras"], "text.keras: cannot be loaded"),
        ([image, "--model", tmp_path / "colour.keras"], "colour.keras: expected a network from grey images"),
        ([image, "--out", image], "a.png"),
    ]:
        assert predict.main(["--model", model_file, *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
