import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from helpers import REPOSITORY, draw_dataset, free_port

import main
from segmentation import devices
from segmentation.training import refusals, runs

jax = pytest.importorskip("jax", reason="JAX is not installed")

SMALL = ["--steps-per-epoch", "3", "--crop", "32", "--width", "4", "--depth", "1", "--batch-size", "6"]
EPOCHS = 6  # of the run that is disturbed: enough for it to be still under way


def start(run, cells, process=0, processes=1, port=0, devices=1, epochs=2, options=()):
    """Start main.py with the JAX backend as one of several processes on this machine, with so many devices each."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    if processes > 1:
        environment |= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(process),
        }
    command = [
        sys.executable,
        str(REPOSITORY / "main.py"),
        "--data",
        str(cells),
        "--run",
        str(run),
        "--epochs",
        str(epochs),
    ]
    return subprocess.Popen(
        [*command, *SMALL, *options],
        cwd=cells,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_all(run, cells, processes, **options):
    port = free_port()
    return [start(run, cells, process, processes, port, **options) for process in range(processes)]


def finish(started, seconds=300):
    """Wait for processes; returns their (exit code, standard output, standard error)."""
    results = []
    for process in started:
        out, error = process.communicate(timeout=seconds)
        results.append((process.returncode, out, error))
    return results


def read_losses(run):
    return [(row["loss"], row["val_loss"], row["val_accuracy"]) for row in runs.read_history(run / "history.csv")]


def test_parts_of_a_batch_do_not_overlap():
    groups = [devices.Group(rank, 3, 6) for rank in range(3)]
    assert [list(range(12)[group.part_of(12)]) for group in groups] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert list(range(5)[devices.ALONE.part_of(5)]) == list(range(5))


def test_a_batch_that_cannot_be_shared_is_refused(cells, tmp_path):
    options = main.parse(["--data", str(cells), "--run", str(tmp_path), "--batch-size", "6"])
    survey, problems = refusals.check(options)
    assert problems == []
    _, problems = main.load(options, survey, devices.Group(0, 1, 4))
    assert problems == ["--batch-size 6: cannot be shared evenly by 4 devices."]
    _, problems = main.load(options, survey, devices.Group(1, 3, 3))
    assert problems == []


def test_several_processes_need_jax(monkeypatch):
    if keras.backend.backend() == "jax":
        pytest.skip("the backend is JAX")
    assert devices.join() == devices.ALONE
    monkeypatch.setenv(devices.VARIABLE, "127.0.0.1:1234")
    with pytest.raises(ValueError, match="KERAS_BACKEND=jax"):
        devices.join()


@pytest.mark.parametrize(
    ("capabilities", "expected"), [([], False), ([(8, 0), (9, 0)], True), ([(9, 0), (7, 5)], False), ([None], False)]
)
def test_bfloat16_is_for_gpus_that_are_made_for_it(capabilities, expected, monkeypatch):
    """With simulated GPUs, of each backend that is installed."""
    with monkeypatch.context() as patched:
        tensorflow = pytest.importorskip("tensorflow")
        patched.setattr(devices, "PROCESSOR", Path("nowhere"))
        details = {i: {"compute_capability": capability} for i, capability in enumerate(capabilities)}
        patched.setattr(keras.backend, "backend", lambda: "tensorflow")
        patched.setattr(tensorflow.config, "list_physical_devices", lambda kind: list(details))
        patched.setattr(tensorflow.config.experimental, "get_device_details", details.get)
        assert devices.has_bfloat16() == expected
        texts = [".".join(map(str, capability or ("gfx90a",))) for capability in capabilities]
        patched.setattr(keras.backend, "backend", lambda: "jax")
        patched.setattr(jax, "local_devices", lambda: [SimpleNamespace(compute_capability=text) for text in texts])
        assert devices.has_bfloat16() == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx512f avx512_bf16 fsrm", True), ("amx_bf16 avx512f", True), ("avx2 fma", False), ("avx512_bf160", False)],
)
def test_a_processor_computes_in_bfloat16_if_it_is_made_for_it(flags, expected, monkeypatch, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the backend is another")
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: avx512_bf16\nflags\t\t: fpu {flags}\nbugs\t\t:\n")
    monkeypatch.setattr(devices, "PROCESSOR", tmp_path / "cpuinfo")
    assert devices.has_bfloat16() == expected
    monkeypatch.setattr(devices, "PROCESSOR", tmp_path / "none")
    assert not devices.has_bfloat16()


def test_environment_variables_are_left_as_they_were(monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt), devices.environment(KEPT="2", ADDED="3"):
        assert (os.environ["KEPT"], os.environ["ADDED"]) == ("2", "3")
        raise KeyboardInterrupt
    assert dict(os.environ) == before


def test_precision_is_left_as_it_was():
    before = keras.config.dtype_policy().name
    with pytest.raises(KeyboardInterrupt), devices.precision(mixed=True):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise KeyboardInterrupt
    assert keras.config.dtype_policy().name == before
    with devices.precision(mixed=False):
        assert keras.layers.Dense(1).compute_dtype == "float32"


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """What one process has compiled is read by the next ones, which would take as long."""
    kept = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled"))}
    with devices.environment(**kept, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0"):
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    ((code, _, error),) = finish([start(folder / "run", draw_dataset(folder / "cells"))])
    assert code == 0, error
    return folder / "run"


def test_processes_together_train_as_one_alone(alone, cells, tmp_path):
    run = tmp_path / "together"
    results = finish(start_all(run, cells, 2))
    assert [code for code, _, _ in results] == [0, 0], results
    np.testing.assert_allclose(read_losses(run), read_losses(alone), rtol=1e-4)
    summary = json.loads((run / "run.json").read_text())
    assert summary["scores"].keys() == {"held out", "test"}
    for name in ("model.keras", "last.keras"):
        networks = [keras.saving.load_model(folder / name, compile=False) for folder in (alone, run)]
        for expected, found in zip(*(network.get_weights() for network in networks), strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-4)
    # Process 0 alone writes and predicts.
    assert "Masks are in" in results[0][1]
    assert all("Masks are in" not in out for _, out, _ in results[1:])


def test_every_device_of_a_process_is_used_and_trains_as_one_alone(alone, cells, tmp_path):
    results = finish([start(tmp_path / "run", cells, devices=3)])
    assert [code for code, _, _ in results] == [0], results
    np.testing.assert_allclose(read_losses(tmp_path / "run"), read_losses(alone), rtol=1e-4)


def test_when_a_process_is_killed_the_others_say_so_and_all_can_resume(cells, tmp_path):
    run = tmp_path / "run"
    started = start_all(run, cells, 2, epochs=EPOCHS)
    until = time.monotonic() + 200
    while not (run / "last.keras").is_file() and time.monotonic() < until:
        time.sleep(0.2)
    started[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    (code, _, error), _ = finish(started)
    assert time.monotonic() - killed < 60
    assert code == 2
    assert "process 0: the work with the others ended" in error
    assert "--resume" in error
    assert "Traceback" not in error
    epochs = len(read_losses(run))
    assert 0 < epochs < EPOCHS
    results = finish(start_all(run, cells, 2, epochs=EPOCHS, options=["--resume"]))
    assert [code for code, _, _ in results] == [0, 0], results
    assert f"Epoch {epochs + 1}/{EPOCHS}" in results[0][1]
    assert f"Epoch {epochs}/{EPOCHS}" not in results[0][1]
    assert len(read_losses(run)) == EPOCHS
