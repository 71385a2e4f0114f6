import json
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tifffile
from helpers import SMALL, draw_dataset, draw_section, save, shrink_isbi2012, small_network
from PIL import Image

from benchmarks import (
    calibration,
    fields,
    flips,
    folds,
    gpu,
    grey,
    isbi2012,
    kept,
    large,
    loading,
    many,
    objects,
    original,
    peers,
    planted,
    ranges,
    ranking,
    rare,
    scaling,
    startup,
    strokes,
)
from model import unet
from segmentation.files import folders, images
from segmentation.prediction import networks


@pytest.fixture
def sections(tmp_path):
    """Ten labelled sections, for five folds of two."""
    rng = np.random.default_rng(0)
    for i in range(10):
        image, label = draw_section(rng)
        save(image, tmp_path / "ten" / "train" / "image" / f"{i}.png")
        save(label, tmp_path / "ten" / "train" / "label" / f"{i}.png")
    return tmp_path / "ten"


def test_the_original_network_has_as_many_parameters_as_there():
    assert original.unet().count_params() == 31_031_685


def test_the_original_shrinks_and_predicts_at_full_size(tiny_original):
    label = np.indices((64, 64)).sum(0) // 10 % 2 == 0
    image = label[..., np.newaxis].astype("float32")
    pairs = original.Pairs([image], [label], steps=3)
    images, labels = pairs[0]
    assert images.shape == labels.shape == (2, 32, 32, 1)
    assert set(np.unique(labels)) == {0, 1}
    np.testing.assert_array_equal(images, pairs[0][0])
    assert original.predict(original.unet(), image).shape == (64, 64)


def test_a_step_of_the_original_is_timed_without_the_first(sections, tiny_original, monkeypatch):
    fits = []
    fit = keras.Model.fit

    def count(network, pairs, **options):
        fits.append(len(pairs))
        return fit(network, pairs, **options)

    monkeypatch.setattr(keras.Model, "fit", count)
    # A clock on which each step takes three seconds, and building the graph a hundred.
    monkeypatch.setattr(original, "time", SimpleNamespace(perf_counter=lambda: 3 * sum(fits) + 100 * bool(fits)))
    assert original.time_step(sections, 4) == 3
    assert fits == [1, 4]


def test_a_fold_is_a_block_in_a_row():
    outside, inside = isbi2012.split(list(range(30)), 4)
    assert outside == list(range(24))
    assert inside == list(range(24, 30))
    assert isbi2012.split(list(range(30)), 0)[1] == list(range(6))


def test_benchmark_compares_scores_in_time_and_is_not_run_twice(sections, tiny_original, tmp_path, monkeypatch, capsys):
    shrink_isbi2012(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    options = ["--data", str(sections), "--folds", "4"]
    assert isbi2012.main(options) == 0
    rows = isbi2012.read_rows(tmp_path / "rows.csv")
    found = [(row["recipe"], row["step"]) for row in rows]
    ours = [("main.py", 2), ("main.py", 4), ("main.py, --no-flips", 4)]
    short = [(name.replace("main.py", "main.py, short"), step) for name, step in ours]
    assert found == [*ours, *short, ("zhixuhao/unet", 2), ("zhixuhao/unet", 4)]
    assert all(0 < row["minutes"] < 5 for row in rows)
    assert all(0 <= row[score] <= 1 for row in rows for score in isbi2012.SCORES[:-1])
    assert (tmp_path / "img" / "isbi2012.png").is_file()
    monkeypatch.setattr(isbi2012, "run_fold", None)
    capsys.readouterr()
    assert isbi2012.main(options) == 0
    assert capsys.readouterr().out.count("| main.py") == 4


def test_peers_are_scored_by_what_they_say_of_the_sections_held_out(sections, tmp_path, monkeypatch, capsys):
    """By a peer that is right about the first sections, whose labels it has not been given."""
    peer = f"""
import sys, numpy as np
from pathlib import Path
from PIL import Image
data, out = map(Path, sys.argv[1:3])
assert sys.argv[3:] == ["--minutes", "0.5"]
assert {{file.name for file in (data / "train" / "label").iterdir()}} == {{f"{{i}}.png" for i in range(2, 10)}}
out.mkdir()
for file in (data / "test").iterdir():
    label = np.array(Image.open({str(sections)!r} + "/train/label/" + file.name)) / 255
    np.save(out / f"{{file.stem}}.npy", label)
print("its own words", "3 steps, 30.0 s", sep="\\n")
"""
    (tmp_path / "peer.py").write_text(peer)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(peers, "OTHERS", {"nnU-Net": "peer"})
    monkeypatch.setattr(peers, "ROWS", tmp_path / "peers.csv")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    command = ["--data", str(sections), "--recipes", "nnU-Net", "--minutes", "0.5"]
    assert peers.main(command) == 0
    (row,) = isbi2012.read_rows(peers.ROWS)
    assert (row["step"], row["minutes"], row["accuracy"], row["membrane_iou"], row["map_v_rand"]) == (3, 0.5, 1, 1, 1)
    (tmp_path / "peer.py").unlink()  # it is not asked again
    assert peers.main(command) == 0
    assert "| nnU-Net, 0.5 minutes | 1 | 1.000 |" in capsys.readouterr().out
    assert (tmp_path / "img" / "peers.png").is_file()


def test_grey_endings_are_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grey, "ROWS", tmp_path / "rows.csv")
    good, grey_one = (
        {"accuracy": accuracy, "constant": 0.8, "membrane_iou": iou} for accuracy, iou in ((0.9, 0.5), (0.8, 0))
    )
    monkeypatch.setattr(grey, "RECIPES", {"main.py": lambda *run: good, "zhixuhao/unet": lambda *run: grey_one})
    options = ["--recipes", "main.py", "zhixuhao/unet", "--seeds", "2", "--data", "cells"]
    assert grey.main(options) == 0
    printed = capsys.readouterr().out
    assert "| main.py | cells | 110 | 2 | 0 |" in printed
    assert "| zhixuhao/unet | cells | 110 | 2 | 2 |" in printed


def test_both_recipes_run_for_the_count_of_grey_endings(sections, tiny_original, monkeypatch):
    parse = grey.recipe.parse
    small = ["--crop", "32", "--width", "2", "--depth", "2"]
    monkeypatch.setattr(grey.recipe, "parse", lambda given: parse([*given, *small]))
    for run in (grey.run_ours, grey.run_original):
        assert {"accuracy", "constant", "membrane_iou"} <= run(sections, seed=0, steps=2).keys()


def test_tiles_are_timed_and_a_large_image_weighed(capsys):
    assert large.main(["--whole", "64", "--tiles", "32", "--turns", "1", "--side", "200"]) == 0
    printed = capsys.readouterr().out
    assert "in one piece: " in printed
    assert "tiles of 32: " in printed
    assert "200x200 pixels: " in printed
    assert "200x200 pixels by predict.py: " in printed


def test_objects_are_drawn_and_timed(capsys):
    assert objects.main(["--side", "256", "--times", "1"]) == 0
    assert capsys.readouterr().out.startswith("16 objects: ")


def test_starts_are_timed(capsys, monkeypatch):
    monkeypatch.setattr(startup, "COMMANDS", {"help": ["evaluate.py", "--help"]})
    assert startup.main(["--times", "2"]) == 0
    assert capsys.readouterr().out.startswith("help: ")


def test_ways_for_rare_classes_are_trained_once(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rare, "ROWS", tmp_path / "rare.csv")
    monkeypatch.setattr(rare, "STEPS", dict.fromkeys(rare.STEPS, 2))
    monkeypatch.setattr(rare, "WAYS", {"dice": ["--loss", "dice"]})
    monkeypatch.setattr(rare, "SETS", ("drive",))
    small = ["--crop", "32", "--width", "2", "--depth", "2"]
    monkeypatch.setitem(rare.OPTIONS, "drive", small)
    for _ in range(2):
        assert rare.main(["--drive", str(cells), "--seeds", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    rows = [line for line in printed if line.startswith("set drive, way dice, seed 0, steps 2, mean_iou ")]
    assert len(rows) == 2
    assert len((tmp_path / "rare.csv").read_text().splitlines()) == 2


def test_spots_are_half_a_percent_of_the_pixels(tmp_path):
    folder = rare.draw_spots(tmp_path)
    labels = [images.read_array(file) for file in (folder / "train" / "label").iterdir()]
    assert len(labels) == rare.COUNT
    assert 0.004 < np.mean(labels) / 255 < 0.008


def test_many_images_are_timed_and_weighed(capsys):
    assert many.main(["--counts", "3", "--side", "32"]) == 0
    assert "3 images of 3: " in capsys.readouterr().out


def test_a_training_set_is_made_checked_and_weighed(tmp_path, capfd):
    options = ["--batch-size", "2", "--width", "4", "--depth", "2", "--steps-per-epoch", "2"]
    many.measure_training(5, tmp_path, size=(64, 80), options=options)
    printed = capfd.readouterr().out
    assert "data.py, 5 images: " in printed and "main.py, 5 images: " in printed
    assert len(list((tmp_path / "train" / "label").iterdir())) == 5
    options = ["--crop", "32", "--width", "2", "--steps", "2", "--turns", "1"]
    assert loading.main(["--data", str(tmp_path), *options]) == 0
    assert "waits for data" in capfd.readouterr().out


def test_waiting_for_data_is_told_from_sharing_cores(sections, capsys):
    assert loading.main(["--data", str(sections), "--crop", "32", "--width", "2", "--steps", "2", "--turns", "1"]) == 0
    printed = capsys.readouterr().out
    assert "1 threads make " in printed
    assert "share of a step that waits for data: " in printed
    assert "share that loading takes from the network's cores: " in printed


def test_questions_for_a_gpu_are_answered_wherever_keras_computes(sections, tiny_original, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "ROWS", tmp_path / "gpu.csv")
    monkeypatch.setattr(gpu, "OUTSIDE", 8)
    monkeypatch.setattr(gpu, "measure", lambda run, seconds: run(1) or 0.5)
    monkeypatch.setattr(gpu, "STEPS", 1)
    small = ["--widths", "2", "--side", "32", "--batch-size", "2", "--pixels", "32"]
    small += ["--turns", "1", "--threads", "2", "--steps", "1", "--original-width", "2", "--data", str(sections)]
    for question in ("steps", "loading", "predictions", "schedule"):
        assert gpu.main([*small, "--isbi2012", str(sections), "--only", question]) == 0
    rows = {(row["question"], row["precision"]): row["value"] for row in kept.read_rows(gpu.ROWS)}
    assert rows["seconds a step", "bfloat16"] == rows["seconds a step", "float32"] == "0.50000"
    assert float(rows["crops a second of 2 threads", ""]) > 0
    assert {"waits for 2 threads", "is lost to 2 threads"} <= {question for question, _ in rows}
    assert rows["megapixels a second, turns all", "bfloat16"] == "0.0"
    assert "held out" in rows["zhixuhao/unet, accuracy after epoch 5", "float32"]
    gpu.keep(device="d", backend="b", question="q", value=1)
    gpu.keep(device="d", backend="b", question="q", value=2)
    assert [row["value"] for row in kept.read_rows(gpu.ROWS) if row["device"] == "d"] == ["2"]


def test_the_seconds_of_a_step_leave_out_the_first_ones(monkeypatch):
    steps, passed = [], []
    monkeypatch.setattr(gpu, "time", SimpleNamespace(perf_counter=lambda: sum(passed)))  # no clock of a busy machine

    def run(count):
        steps.append(count)
        passed.append(0.3 if len(steps) == 1 else 0.002 * count)

    assert 0.002 <= gpu.measure(run, seconds=0.02) < 0.01
    assert steps[:2] == [3, 10] and len(set(steps[2:])) == 1 and 5 <= steps[2] <= 10


def test_a_gpu_is_asked_in_processes_of_their_own_and_goes_on_after_one_that_fails(monkeypatch, capsys):
    asked = []

    def run(command, env, **options):
        asked.append((command[-1], env["KERAS_BACKEND"]))
        if command[-1] == "plain":
            raise subprocess.TimeoutExpired(command, 1)
        return SimpleNamespace(returncode=1, stderr="no memory")

    monkeypatch.setattr(gpu.subprocess, "run", run)
    monkeypatch.setattr(gpu, "BACKENDS", ["jax", "torch"])
    assert gpu.main([]) == 0
    once = [("plain", "torch"), ("loading", "jax"), ("predictions", "jax")]
    assert asked == [("steps", "jax"), *once, ("steps", "torch")]
    printed = capsys.readouterr().err
    assert "steps, jax: failed: no memory" in printed and "plain, torch: stopped after 240 seconds." in printed


def test_the_plain_network_has_as_many_parameters_as_that_of_model_py():
    torch = pytest.importorskip("torch")
    from benchmarks import plain

    for width in 2, 12:
        network = plain.UNet(width)
        moving = sum(part.running_mean.numel() * 2 for part in network.modules() if hasattr(part, "running_mean"))
        parameters = sum(part.numel() for part in network.parameters())
        assert parameters + moving == unet(width=width).count_params()
        assert network(torch.zeros(1, 1, 32, 48)).shape == (1, 1, 32, 48)


def test_runtimes_are_timed_in_turns(capsys, tmp_path, monkeypatch):
    for package in ("onnxruntime", "openvino", "nncf"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    from benchmarks import runtimes

    draw_dataset(tmp_path / "cells")
    (tmp_path / "run").mkdir()
    networks.save_network(small_network(1), tmp_path / "run" / "model.keras", networks.Settings())
    (tmp_path / "run" / "run.json").write_text(json.dumps({"arguments": {"data": str(tmp_path / "cells")}}))
    found = []
    compare = runtimes.compare
    monkeypatch.setattr(runtimes, "compare", lambda *given: found.append(compare(*given)) or found[-1])
    assert runtimes.main([str(tmp_path / "run"), "--turns", "1"]) == 0
    (table,) = found
    assert table["ONNX Runtime"]["farthest"] < 1e-4 and table["OpenVINO, float32"]["farthest"] < 1e-4
    assert table["OpenVINO, int8"]["mean"] < 0.05 and table["Keras"]["times"] == 1
    assert "OpenVINO, int8" in capsys.readouterr().out


def test_volumes_are_timed_and_weighed(capsys, monkeypatch):
    pytest.importorskip("distributed", reason="dask is not installed")
    from benchmarks import chunked

    monkeypatch.setattr(chunked, "unet", lambda width, depth=1: unet(width=2, depth=depth))
    options = ["--workers", "1", "--sections", "2", "--side", "64", "--tile", "32", "--sizes", "1e-5"]
    monkeypatch.setattr(chunked.large, "measure_memory", lambda *command: (3.0, 0.5))
    assert chunked.main(options) == 0
    printed = capsys.readouterr().out
    assert "the bare network: " in printed
    assert "1 workers: " in printed
    assert "1e-05 GB: 3 s, at most 0.50 GiB" in printed


def test_scaling_is_measured_between_processes(capsys, monkeypatch):
    pytest.importorskip("jax", reason="JAX is not installed")
    small = SimpleNamespace(width=2, depth=1, batch_size=2, crop=32, steps=2)
    seconds, size = scaling.measure(2, small, together=True)
    assert 0 < seconds < 60 and size == 4 * unet(width=2, depth=1).count_params()
    # Of 1.5 s of a step together half a second is communication; 64 hosts pass 2 * 63 / 64 times as much.
    times = {(1, False): 1.0, (2, False): 1.0, (2, True): 1.5}
    monkeypatch.setattr(scaling, "measure", lambda count, options, together: (times[count, together], 4e6))
    assert scaling.main([]) == 0
    printed = capsys.readouterr().out
    assert "1 process: 1.000 steps a second" in printed
    assert "64 hosts, by estimate: 32.3 times" in printed


def test_strokes_lie_on_their_class_and_have_the_share_asked_for():
    label = np.zeros((120, 150), bool)
    label[40:60, 20:130] = True
    drawn = strokes.draw_strokes(label, 0.03, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 1, 2}
    assert label[drawn == 2].all()
    assert not label[drawn == 1].any()
    assert 0.02 < np.mean(drawn > 0) < 0.06


def test_images_are_stretched_by_their_common_range(cells):
    for file in (cells / "train" / "image").iterdir():
        tifffile.imwrite(file.with_suffix(".tif"), np.asarray(Image.open(file)).astype(np.uint16) + 5000)
        file.unlink()
    ranges.stretch(cells, cells.parent / "out")
    stretched = [images.read_array(file) for file in (cells.parent / "out/train/image").iterdir()]
    assert {array.dtype for array in stretched} == {np.dtype("uint8")}
    assert np.min(stretched) == 0
    assert np.max(stretched) == 255


def test_fields_are_trained_on_once_and_kept(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fields, "ROWS", tmp_path / "fields.csv")
    command = ["--dsb2018", str(cells), "--", *SMALL, "--epochs", "1"]
    assert fields.main(command) == 0
    (row,) = kept.read_rows(fields.ROWS)
    assert row["set"] == "dsb2018" and 0 <= float(row["test"]) <= 1 and 0 <= float(row["f1"]) <= 1
    monkeypatch.setattr(fields.recipe, "main", None)  # it is not trained on again
    assert fields.main(command) == 0
    assert "about 0.91" in capsys.readouterr().out


def test_averages_are_compared_with_their_networks(sections, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folds, "ROWS", tmp_path / "folds.csv")
    monkeypatch.setattr(folds, "FOLDS", 2)
    monkeypatch.setattr(folds, "COUNTS", (1, 2))
    command = ["--isbi2012", str(sections), "--", *SMALL, "--epochs", "1", "--depth", "1"]
    assert folds.main(command) == 0
    assert len(list((tmp_path / "runs/folds/outer/train/image").iterdir())) == 4
    one, two = kept.read_rows(folds.ROWS)
    assert (one["networks"], two["networks"]) == ("1", "2")
    assert float(one["iou_spread"]) >= 0 and two["iou_spread"] == "nan"
    assert 0 < float(two["accuracy"]) < 1
    monkeypatch.setattr(folds.recipe, "main", None)  # they are not trained again
    assert folds.main(command) == 0


def test_flips_and_calibration_are_measured_on_what_a_run_has_held_out(sections, tmp_path, capsys):
    run = tmp_path / "run"
    options = ["--data", str(sections), "--run", str(run), *SMALL, "--epochs", "1", "--depth", "1"]
    assert folds.recipe.main([*options, "--validation-fraction", "0.4"]) == 0
    capsys.readouterr()
    assert flips.main([str(run)]) == 0
    printed = capsys.readouterr().out
    assert f"{run}: 4 sections" in printed
    rows = {line[:14].strip(): line[14:].split() for line in printed.splitlines()[2:]}
    assert list(rows) == list(flips.CHOICES)
    assert float(rows["8"][-1]) > float(rows["1"][-1]) > 0
    assert calibration.main([str(run)]) == 0
    temperature, before, after = map(float, capsys.readouterr().out.splitlines()[-1].split()[-3:])
    assert 0.1 <= temperature <= 10 and 0 <= before <= 1 and 0 <= after <= 1


def test_faults_are_planted_where_it_is_said(tmp_path):
    faults = planted.plant(tmp_path / "data")
    assert len(faults) == 20
    changed = {}
    for stem, file in folders.find_images(planted.SOURCE / "train" / "label").items():
        before, after = (images.read_array(place) for place in (file, tmp_path / "data/train/label" / file.name))
        if np.any(before != after):
            changed[stem] = np.argwhere(before != after)
    assert changed.keys() == {stem for stem, _ in faults}
    for stem, box in faults[:-3]:
        assert (changed[stem].min(0) >= box[:2]).all() and (changed[stem].max(0) < box[2:]).all()
    assert [box for _, box in faults[-3:]] == [None] * 3
    row = {"section": "3", "top": "10", "left": "10", "bottom": "20", "right": "20", "what": "labelled cell"}
    assert planted.is_found(("3", (19, 19, 30, 30)), row)
    assert not planted.is_found(("3", (20, 10, 30, 30)), row)
    assert not planted.is_found(("4", (10, 10, 30, 30)), row)
    assert not planted.is_found(("3", None), row)
    assert planted.is_found(("3", None), row | {"what": "its label is flipped or turned"})


def test_what_a_network_disagrees_with_itself_about_is_labelled_first(monkeypatch):
    monkeypatch.setattr(ranking.masks, "predict", lambda network, image, turns: network(image))
    image = np.random.default_rng(0).random((8, 8))
    assert ranking.disagree(lambda turned: turned * 2, image) < 1e-9
    assert ranking.disagree(lambda turned: np.cumsum(turned, axis=0), image) > 0.1
    trained = {}

    def train(options, name, numbers, pairs):
        trained[name] = list(numbers)
        return None, 0.5

    monkeypatch.setattr(ranking, "train", train)
    monkeypatch.setattr(ranking, "disagree", lambda network, image: image)
    pairs = SimpleNamespace(stems=[str(i) for i in range(24)], images=list(range(24))), None
    rows = list(ranking.compare(SimpleNamespace(seed=0), pairs))
    begun = trained["round0"]
    assert len(begun) == 2 and trained["at_random"][:2] == begun and len(trained["at_random"]) == 8
    assert trained["ranked"][2:] == [i for i in range(23, -1, -1) if i not in begun][:6]
    assert [row["chosen"] for row in rows] == ["ranked", "at random"]
    assert rows[0]["sections"] == " ".join(map(str, trained["ranked"]))
