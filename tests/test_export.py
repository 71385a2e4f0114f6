import io
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from helpers import REPOSITORY, draw_section, save, small_network

from segmentation import export
from segmentation.files import images
from segmentation.prediction import networks
from segmentation.training import runs

pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
reshape_optimizer = pytest.importorskip("tf2onnx.optimizer.reshape_optimizer", reason="tf2onnx is not installed")


@pytest.fixture
def image_file(tmp_path):
    save(draw_section(np.random.default_rng(0), 90, 130)[0], tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_package_passes_the_test_of_bioimageio_core(channels, image_file, tmp_path, capsys):
    network = small_network(2, channels=channels)
    if channels == 3:  # and of two networks
        network = networks.average([network, small_network(2, seed=1, channels=channels)])
    networks.save_network(network, tmp_path / "model.keras", networks.Settings(border=1.0))
    if channels == 3:
        save(np.random.default_rng(0).integers(0, 255, (90, 130, 3)).astype(np.uint8), image_file)
    out = tmp_path / "package.zip"
    assert export.main([str(tmp_path / "model.keras"), "--image", str(image_file), "--out", str(out)]) == 0
    names = {"rdf.yaml", "README.md", "cover.png", "weights.onnx", "saved_model.zip", "weights.keras"}
    with zipfile.ZipFile(out) as package:
        found = set(package.namelist())
    assert names | {"test_input.npy", "test_output.npy"} <= found | {"rdf.yaml"}
    assert "package.zip: " in capsys.readouterr().out
    # What passes is tested: a wrong output does not.
    with zipfile.ZipFile(out) as package:
        package.extractall(tmp_path / "wrong")
    expected = np.load(tmp_path / "wrong" / "test_output.npy")
    np.save(tmp_path / "wrong" / "test_output.npy", 1 - expected)
    with pytest.raises(ValueError, match=r"does not pass bioimageio\.core's test"):
        export._check(tmp_path / "wrong" / "rdf.yaml")


@pytest.mark.parametrize("shape", [(64, 64), (96, 160)])
def test_exported_weights_answer_as_the_network_at_other_sizes(shape, tmp_path, monkeypatch):
    # tf2onnx goes on without an optimizer that fails; this one, failing once, would leave an axis too many.
    first_call = iter([RecursionError])
    optimize = reshape_optimizer.ReshapeOptimizer.optimize

    def stumble(*arguments):
        if error := next(first_call, None):
            raise error
        return optimize(*arguments)

    monkeypatch.setattr(reshape_optimizer.ReshapeOptimizer, "optimize", stumble)
    network = small_network(2)
    onnx, saved_model = export.save_weights(network, tmp_path)
    image = np.random.default_rng(0).random((1, *shape, 1), "float32")
    expected = network.predict_on_batch(image)
    assert np.ptp(expected) > 0.01
    session = onnxruntime.InferenceSession(onnx)
    (answer,) = session.run(None, {session.get_inputs()[0].name: image})
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    with zipfile.ZipFile(saved_model) as archive:
        archive.extractall(tmp_path / "unpacked")
    layer = keras.layers.TFSMLayer(tmp_path / "unpacked", call_endpoint="serve")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(image)["probability"]), expected, atol=1e-4)


def test_users_mistakes_are_one_sentence(image_file, tmp_path, capsys):
    networks.save_network(small_network(2, channels=3), tmp_path / "colour.keras")
    (tmp_path / "text.png").write_text("no image")
    for arguments, message in [
        ([tmp_path / "none.keras", "--image", image_file], "none.keras: no such file"),
        ([tmp_path / "colour.keras", "--image", image_file], "image.png: expected 3 channels"),
        ([tmp_path / "colour.keras", "--image", tmp_path / "text.png"], "text.png: cannot be read"),
    ]:
        assert export.main([*map(str, arguments), "--out", str(tmp_path / "out.zip")]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "out.zip").exists()


def test_another_backend_is_one_sentence(image_file, tmp_path, monkeypatch, capsys):
    networks.save_network(small_network(2), tmp_path / "model.keras")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    out = tmp_path / "out.zip"
    assert export.main([str(tmp_path / "model.keras"), "--image", str(image_file), "--out", str(out)]) == 2
    assert capsys.readouterr().err == "export.py: packages are made with KERAS_BACKEND=tensorflow, found jax.\n"
    assert not out.exists()


def test_a_package_is_named_after_its_network_and_tested_with_an_image_of_its_own_data(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "nuclei"
    runs.open_run(run, {"seed": 0, "resume": False, "data": cells})
    networks.save_network(small_network(2), run / "model.keras")
    runs.close_run(run, {"seed": 0, "data": cells}, scores={})
    monkeypatch.setattr(export, "_check", lambda package: None)
    assert export.main([]) == 0
    with zipfile.ZipFile("nuclei.zip") as package:
        (description,) = (name for name in package.namelist() if name.endswith(".yaml"))
        described = package.read(description).decode()
        test_input = np.load(io.BytesIO(package.read("test_input.npy")))
    assert "name: U-Net for cells" in described
    assert "Arganda-Carreras" not in described
    np.testing.assert_array_equal(test_input[0, ..., 0], images.read_array(cells / "test" / "a.png")[:36, :52])


def test_without_its_own_data_an_image_has_to_be_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    networks.save_network(small_network(2), tmp_path / "model.keras")
    assert export.main(["model.keras"]) == 2
    assert "give an image like it with --image" in capsys.readouterr().err


def test_a_network_in_the_current_folder_names_its_package_after_that(image_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "_check", lambda package: None)
    networks.save_network(small_network(2), tmp_path / "model.keras")
    assert export.main(["model.keras", "--image", str(image_file)]) == 0
    assert (tmp_path / f"{tmp_path.name}.zip").is_file()


def test_tables_of_tf2onnx_are_left_as_they_were():
    import tf2onnx.optimizer

    before = list(tf2onnx.optimizer._optimizers.items())
    with pytest.raises(KeyboardInterrupt), export._without_reshape_optimizer():
        assert "reshape_optimizer" not in tf2onnx.optimizer._optimizers
        raise KeyboardInterrupt
    assert list(tf2onnx.optimizer._optimizers.items()) == before


def test_bioimageio_core_loads_keras_weights_by_our_backend(tmp_path):
    """Without the variable it would use torch; conftest.py sets it for the other tests."""
    networks.save_network(small_network(2), tmp_path / "model.keras")
    save(draw_section(np.random.default_rng(0), 64, 64)[0], tmp_path / "a.png")
    code = (
        "import os, sys\n"
        "from segmentation import export\n"
        "assert export.main(sys.argv[1:]) == 0\n"
        "from bioimageio.core._settings import settings\n"
        "assert settings.keras_backend == 'tensorflow', settings.keras_backend\n"
        "assert 'KERAS_BACKEND' not in os.environ\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    arguments = ["model.keras", "--image", "a.png", "--out", "package.zip"]
    command = [sys.executable, "-c", code, *(str(tmp_path / a) if "." in a else a for a in arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
