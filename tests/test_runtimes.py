"""OpenVINO in place of Keras's backend."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tifffile
from helpers import REPOSITORY, save, small_network

import predict
from segmentation import devices
from segmentation.prediction import masks, networks, runtimes
from segmentation.training import runs

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
pytest.importorskip("nncf", reason="NNCF is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run with a network that says something else at every pixel, and its training images."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    for stem in range(3):
        save(rng.integers(0, 255, (66, 50), np.uint8), folder / "data" / "train" / "image" / f"{stem}.png")
    network = small_network(2)
    networks.save_network(network, folder / "model.keras", networks.Settings(turns="mirror"))
    (folder / "run.json").write_text(json.dumps({"arguments": {"data": str(folder / "data")}}))
    assert runs.read_arguments(folder)["data"] == str(folder / "data")
    return folder


def command(run, *options):
    return predict.main([*map(str, options), "--model", str(run), "--runtime", "openvino"])


def test_float32_gives_what_keras_gives_in_one_piece_and_in_tiles(run):
    runtimes.prepare(run / "model.keras", "float32")
    network, settings = runtimes.load(run / "model.keras", "float32")
    ours, _ = networks.load_network(run / "model.keras")
    assert settings.turns == "mirror"
    image = np.random.default_rng(1).random((90, 71, 1), "float32")
    for options in ({"turns": "none"}, {"turns": "all"}, {"turns": "none", "tile": 32}):
        expected = masks.predict(ours, image, **options)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(masks.predict(network, image, **options), expected, atol=1e-5)


def test_int8_is_near_and_is_calibrated_once(run, capsys, tmp_path):
    image = run / "data" / "train" / "image" / "0.png"
    assert command(run, image, "--precision", "int8", "--probability", "--out", tmp_path) == 0
    assert "Calibrating with images of" in capsys.readouterr().out
    assert "FakeQuantize" in (run / "model_int8_1.xml").read_text()
    ours, _ = networks.load_network(run / "model.keras")
    pages, _ = masks.read_pages(ours, image)
    expected = masks.predict(ours, pages[0], "mirror")
    away = np.abs(tifffile.imread(tmp_path / "0_probability.tif") - expected)
    assert 0 < away.mean() < 0.02 and away.max() < 0.2
    assert command(run, image, "--precision", "int8", "--out", tmp_path) == 0
    assert "Calibrating" not in capsys.readouterr().out


def test_a_network_that_was_trained_again_is_converted_again(tmp_path):
    file = tmp_path / "model.keras"
    for seed in 0, 1:
        networks.save_network(small_network(1, seed), file)
        if seed:
            with pytest.raises(ValueError, match=r"model\.keras: is not converted to float32 here"):
                runtimes.load(file, "float32")
        runtimes.prepare(file, "float32")
        image = np.ones((32, 32, 1), "float32")
        found = masks.predict(runtimes.load(file, "float32")[0], image)
        np.testing.assert_allclose(found, masks.predict(networks.load_network(file)[0], image), atol=1e-5)


def test_a_network_that_was_trained_in_bfloat16_is_converted_as_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "has_bfloat16", lambda: True)
    with devices.precision(mixed=True):
        network = small_network(1)
    networks.save_network(network, tmp_path / "model.keras")
    assert networks.load_network(tmp_path / "model.keras")[0].layers[1].compute_dtype == "bfloat16"
    runtimes.prepare(tmp_path / "model.keras", "float32")
    image = np.random.default_rng(0).random((32, 32, 1), "float32")
    found = masks.predict(runtimes.load(tmp_path / "model.keras", "float32")[0], image)
    np.testing.assert_allclose(found, masks.predict(networks.in_float32(network), image), atol=1e-5)


def test_each_network_of_an_average_is_converted(tmp_path):
    members = [small_network(1, seed) for seed in (0, 1)]
    networks.save_network(networks.average(members), tmp_path / "model.keras")
    image = np.random.default_rng(0).random((32, 48)).astype("float32")
    tifffile.imwrite(tmp_path / "image.tif", image)
    expected = masks.disagree(networks.load_network(tmp_path / "model.keras")[0], image)
    assert command(tmp_path, tmp_path / "image.tif", "--uncertainty") == 0
    np.testing.assert_allclose(tifffile.imread(tmp_path / "image_uncertainty.tif"), expected, atol=1e-5)
    assert expected.max() > 0.01
    assert len(list(tmp_path.glob("model_float32_*.xml"))) == 2


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, capsys, monkeypatch):
    networks.save_network(small_network(1), tmp_path / "model.keras")
    save(np.zeros((32, 32), np.uint8), tmp_path / "image.png")
    assert command(tmp_path, tmp_path / "image.png", "--precision", "int8") == 2
    assert "int8 is calibrated with the images of its training, which are not in a run.json" in capsys.readouterr().err
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32"])
    assert command(tmp_path, tmp_path / "image.png", "--precision", "bfloat16") == 2
    assert "--precision bfloat16: this processor does not compute in it" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert command(tmp_path, tmp_path / "image.png") == 2
    assert 'openvino is not installed: pip install -e ".[fast]"' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        predict.main([str(tmp_path / "image.png"), "--precision", "int8"])
    assert "--precision: is chosen for --runtime openvino; add that." in capsys.readouterr().err
    assert not list(tmp_path.glob("model_*"))


def test_volumes_are_predicted_too_and_keep_the_precision(run):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    volume = np.random.default_rng(0).integers(0, 255, (2, 40, 70), np.uint8)
    zarr.create_array(run / "volume.zarr", data=volume)
    assert command(run, run / "volume.zarr", "--tile", "32", "--probability", "--no-flips") == 0
    group = zarr.open_group(run / "volume_predict.zarr", mode="r")
    assert group.attrs["prediction"]["precision"] == "float32"
    network, _ = networks.load_network(run / "model.keras")
    expected = [masks.predict(network, section, "none") for section in volume]
    np.testing.assert_allclose(group["0"][:], expected, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is of a process of its own")
def test_what_is_kept_does_without_tensorflow(run, tmp_path, monkeypatch):
    runtimes.prepare(run / "model.keras", "float32")
    monkeypatch.delenv("KERAS_BACKEND")
    argv = [str(run / "data" / "train" / "image" / "0.png"), "--model", str(run), "--out", str(tmp_path)]
    code = f"import sys, predict; print(predict.main({[*argv, '--runtime', 'openvino']}), 'tensorflow' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "0 False", ended.stderr
    assert (tmp_path / "0_predict.png").is_file()


def test_what_is_left_of_another_network_or_damaged_is_converted_again(tmp_path):
    file = tmp_path / "model.keras"
    networks.save_network(networks.average([small_network(1, seed) for seed in (0, 1)]), file)
    runtimes.prepare(file, "float32")
    networks.save_network(small_network(1), file)
    runtimes.prepare(file, "float32")
    runtimes.load(file, "float32")
    assert len(list(tmp_path.glob("*.xml"))) == 1
    kept = {name: (tmp_path / name).read_bytes() for name in ("model_float32_1.bin", "model_float32_1.xml")}
    for name, whole in kept.items():
        (tmp_path / name).write_bytes(whole[:100])
        with pytest.raises(ValueError, match="is not converted"):
            runtimes.load(file, "float32")
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "model_float32_1.bin").unlink()
    runtimes.prepare(file, "float32")
    runtimes.load(file, "float32")


def test_a_full_disk_is_one_sentence(tmp_path, capsys, monkeypatch):
    networks.save_network(small_network(1), tmp_path / "model.keras")
    save(np.zeros((32, 32), np.uint8), tmp_path / "image.png")

    def fail(*_, **options):
        raise RuntimeError("Check failed:\nbasic_ios::clear: iostream error")

    monkeypatch.setattr(openvino, "save_model", fail)
    assert command(tmp_path, tmp_path / "image.png") == 2
    assert "the converted network cannot be written (basic_ios::clear: iostream error)" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["image.png", "model.keras"]
