"""Several networks, each of which holds out another part: main.py --folds."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile
from helpers import SMALL, draw_dataset, small_network
from PIL import Image

import main
import predict
from segmentation.files import dataset, folders, images, splits
from segmentation.prediction import masks, networks, tiling
from segmentation.scores import calibration, tables
from segmentation.training import callbacks, runs

OPTIONS = [*SMALL, "--depth", "1", "--folds", "2", "--learning-rate", "0.02"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder in which main.py has trained two folds of the drawn dataset."""
    folder = tmp_path_factory.mktemp("folds")
    draw_dataset(folder / "cells")
    assert main.main(["--data", str(folder / "cells"), "--run", str(folder / "run"), *OPTIONS]) == 0
    return folder


def test_folds_hold_out_each_section_once():
    stems = [f"p{i // 3}_{i}" for i in range(11)]
    assert splits.list_folds(stems, 3) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    # The groups p0, p1 and p2 have three sections, p3 has two.
    assert splits.list_folds(stems, 3, "prefix") == [[0, 1, 2, 9, 10], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(ValueError, match="train/image: 4 groups by --group-by prefix are too few for --folds 5"):
        splits.list_folds(stems, 5, "prefix")


def test_how_far_networks_disagree_is_written_on_request(whole, tmp_path, capsys):
    test, out = str(whole / "cells" / "test"), tmp_path / "out"
    assert predict.main([test, "--model", str(whole / "run"), "--out", str(out), "--uncertainty"]) == 0
    members, settings = zip(*(networks.load_network(whole / f"run/fold{i}/model.keras") for i in (1, 2)), strict=True)
    image = images.read_array(whole / "cells/test/a.png")
    one, other = (masks.predict(member, image, scaled=settings[0].scaling) for member in members)
    found = tifffile.imread(out / "a_uncertainty.tif")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.abs(one - other) / 2, atol=1e-6)
    # Not taken for images when the folder is predicted.
    assert set(folders.find_images(out)) == set()
    assert predict.main([test, "--model", str(whole / "run/fold1"), "--out", str(out), "--uncertainty"]) == 2
    assert "is one network; --uncertainty is how far those of main.py --folds disagree" in capsys.readouterr().err


def test_every_section_is_scored_by_a_network_that_has_not_seen_it(whole):
    survey = dataset.survey(whole / "cells", keep=True)
    rows = tables.read_scores(whole / "run" / "scores.csv")
    assert list(rows) == ["s1", "s2", "s3", "s4", "s10", "s12"]
    for fold, stems in ((1, ["s1", "s2", "s3"]), (2, ["s4", "s10", "s12"])):
        place = runs.find_fold(whole / "run", fold)
        assert list(tables.read_scores(place / "scores.csv")) == stems
        network, settings = networks.load_network(place / "model.keras")
        held_out = main.data.take_pairs(survey, splits.split_folds(survey, 2)[fold - 1][1])
        for stem, image, label in zip(held_out.stems, held_out.images, held_out.labels, strict=True):
            mask = masks.to_mask(masks.predict(network, image), settings)
            assert rows[stem] == pytest.approx(tables.score_mask(label, mask, held_out.classes))
        sections = runs.read_summary(place)["trained_on"]["sections"]
        assert sections.startswith("3 trained on, 3 held out")


def test_the_scores_are_means_over_all_sections_and_their_spread_is_that_of_the_folds(whole):
    rows = list(tables.read_scores(whole / "run" / "scores.csv").values())
    scores = json.loads((whole / "run" / "run.json").read_text())["scores"]
    assert list(scores) == ["held out", "spread", "fold 1", "fold 2", "test"]
    accuracies = [row["accuracy"] for row in rows]
    assert scores["held out"]["accuracy"] == pytest.approx(sum(accuracies) / 6)
    first, second = sum(accuracies[:3]) / 3, sum(accuracies[3:]) / 3
    assert scores["fold 2"]["accuracy"] == pytest.approx(second)
    assert scores["spread"]["accuracy"] == pytest.approx(abs(first - second) / 2**0.5)


def test_the_folder_of_the_run_is_the_average_of_its_networks(whole, tmp_path):
    image = whole / "cells" / "test" / "a.png"
    pixels = np.asarray(Image.open(image))
    options = ["--model", str(whole / "run"), "--out", str(tmp_path), "--probability"]
    assert predict.main([str(image), *options]) == 0
    members = [networks.load_network(whole / "run" / f"fold{fold}" / "model.keras")[0] for fold in (1, 2)]
    maps = [masks.predict(member, pixels) for member in members]
    assert np.abs(maps[0] - maps[1]).max() > 1e-3
    found = main.data.dataset.images.read_array(tmp_path / "a_probability.tif")
    network, settings = networks.load_network(whole / "run" / "model.keras")
    each = [networks.load_network(whole / "run" / f"fold{fold}" / "model.keras")[1].temperature for fold in (1, 2)]
    assert settings.temperature == pytest.approx(np.mean(each))
    np.testing.assert_allclose(found, calibration.calibrate(np.mean(maps, axis=0), settings.temperature), atol=1e-5)
    assert settings.border in (0.5, 1)
    assert (tiling.size_multiple(network), tiling.find_halo(network)) == (2, tiling.find_halo(members[0]))
    plain = keras.saving.load_model(whole / "run" / "model.keras").predict_on_batch(pixels[None, :36, :52, None] / 255)
    assert np.abs(plain[0, 8:-8, 8:-8, 0] - masks.predict(network, pixels[:36, :52], "none")[8:-8, 8:-8]).max() < 1e-5


def test_an_average_computes_in_the_precision_that_is_asked_for():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = networks.average([small_network(1, seed) for seed in (0, 1)])
    finally:
        keras.config.set_dtype_policy("float32")
    image = np.random.default_rng(0).random((1, 32, 32, 1), "float32")
    retyped = networks.in_float32(network)
    assert {layer.compute_dtype for member in networks.find_members(retyped) for layer in member.layers} == {"float32"}
    np.testing.assert_allclose(retyped.predict_on_batch(image), network.predict_on_batch(image), atol=0.02)


def compare_weights(run, other):
    for fold in (1, 2):
        files = [place / f"fold{fold}" / "last.keras" for place in (run, other)]
        first, second = (keras.saving.load_model(file, compile=False).get_weights() for file in files)
        for expected, found in zip(first, second, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_run_that_is_stopped_in_its_second_fold_is_resumed_there(whole, tmp_path, monkeypatch, capsys):
    class Interrupted(callbacks.Checkpoint):
        def on_train_batch_begin(self, batch, logs=None):
            if self.run.name == "fold2" and len(self.rows) == 1:
                raise KeyboardInterrupt

    options = ["--data", str(whole / "cells"), "--out", str(tmp_path / "masks"), "--run", str(tmp_path / "run")]
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "Checkpoint", Interrupted)
        assert main.main([*options, *OPTIONS]) == 130
    assert "1 of 2 networks are finished" in capsys.readouterr().err
    written = (tmp_path / "run" / "fold1" / "last.keras").stat().st_mtime_ns
    assert main.main([*options, "--resume", "--folds", "3"]) == 2
    assert "--folds 3: the run in" in capsys.readouterr().err
    assert main.main([*options, "--resume"]) == 0
    assert (tmp_path / "run" / "fold1" / "last.keras").stat().st_mtime_ns == written
    compare_weights(whole / "run", tmp_path / "run")
    assert (tmp_path / "run" / "scores.csv").read_text() == (whole / "run" / "scores.csv").read_text()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="which worker has a fold is told by Linux alone")
def test_a_cluster_trains_the_same_networks_also_when_a_worker_is_killed(whole, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    options = ["--data", str(whole / "cells"), "--out", str(tmp_path / "masks"), "--run", str(tmp_path / "run")]
    killed = []

    def kill(workers):
        """Kill the worker of the first fold, once it has finished an epoch."""
        while not (tmp_path / "run" / "fold1" / "history.csv").is_file():
            time.sleep(0.02)
        trains = (worker.pid for worker in workers if is_locked_by(worker.pid, tmp_path / "run" / "fold1"))
        killed.append(next(trains))
        os.kill(killed[0], signal.SIGKILL)

    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        killer = threading.Thread(target=kill, args=[list(cluster.workers.values())])
        killer.start()
        assert main.main([*options, *OPTIONS, "--scheduler", cluster.scheduler_address]) == 0
        killer.join()
    assert len(killed) == 1
    for fold in ("fold1", "fold2"):
        # Workers have other threads, which add up in another order.
        alone, shared = (runs.read_history(folder / "run" / fold / "history.csv") for folder in (whole, tmp_path))
        assert [row["val_loss"] for row in shared] == pytest.approx([row["val_loss"] for row in alone], rel=1e-2)


def is_locked_by(pid, folder):
    """Whether a process has a folder open, as one has that trains the run in it."""
    return any(file.resolve() == folder for file in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "7"], "image: 6 images are too few for --folds 7"),
        (["--folds", "7", "--group-by", "prefix"], "image: 6 groups by --group-by prefix are too few"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler tcp://127.0.0.1:1: shares networks, and there is one"),
        (["--folds", "2", "--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: no scheduler answers there"),
    ],
)
def test_what_cannot_be_folded_is_one_sentence(whole, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("segmentation.volumes.cluster.CONNECT_SECONDS", 1)
    options = ["--data", str(whole / "cells"), "--run", str(tmp_path / "run"), *SMALL]
    assert main.main([*options, *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_dataset_that_says_what_is_held_out_has_no_folds(whole, tmp_path, capsys):
    shutil.copytree(whole / "cells" / "train", tmp_path / "cells" / "train")
    for part in ("image", "label"):
        (tmp_path / "cells" / "val" / part).mkdir(parents=True)
        file = tmp_path / "cells" / "train" / part / "s1.png"
        file.rename(tmp_path / "cells" / "val" / part / "s1.png")
    assert main.main(["--data", str(tmp_path / "cells"), *OPTIONS]) == 2
    assert "val: is what is held out; move it away" in capsys.readouterr().err


def test_a_class_that_only_one_fold_holds_is_refused(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for i in range(4):
        label = np.zeros((32, 32), np.uint8)
        label[:8], label[20:24] = 1, 2 if i == 0 else 1
        for part, array in (("image", rng.integers(0, 255, (32, 32), np.uint8)), ("label", label)):
            (tmp_path / "train" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / "train" / part / f"{i}.png")
    assert main.main(["--data", str(tmp_path), *OPTIONS]) == 2
    assert "what is trained on holds no pixel of 2; take another number of --folds" in capsys.readouterr().err
