from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers import draw_section, run_epochs, small_network
from PIL import Image

import data
from segmentation import devices
from segmentation.files import classes, scaling
from segmentation.prediction import networks
from segmentation.training import callbacks

KNOWN = classes.Classes((0, 255), ("membrane", "cell"), pixels=(1, 3), parted=True)


def held_out():
    """One section, as it is held out."""
    image, label = draw_section(np.random.default_rng(0))
    return data.Pairs(["a"], [image[..., np.newaxis] / np.float32(255)], [label], KNOWN, scaling.BY_DTYPE)


def test_pictures_follow_each_epoch(tmp_path, pictures):
    shown = []
    pictures = callbacks.Pictures(
        tmp_path, held_out(), networks.Settings(), show=lambda name, figure: shown.append(name)
    )
    run_epochs(tmp_path, small_network(2), [pictures], 1)
    first = (tmp_path / "curves.png").read_bytes()
    run_epochs(tmp_path, small_network(2), [pictures], 2)
    assert (tmp_path / "curves.png").read_bytes() != first
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.width > 800
    assert shown == ["curves", "overlay"] * 3


def test_no_overlay_where_it_would_need_every_device(tmp_path):
    watching = callbacks.watch(tmp_path, held_out(), devices.Group(0, 2, 2), networks.Settings())
    run_epochs(tmp_path, small_network(2), watching, 1)
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "overlay.png").exists()


def test_tensorboard_gets_scalars_and_overlays(tmp_path):
    pairs = held_out()
    (image,), (label,) = pairs.images, pairs.labels
    network = small_network(2)
    network.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    watching = callbacks.watch(tmp_path, pairs, devices.ALONE, networks.Settings(), tensorboard=True)
    batch = image[np.newaxis], label[np.newaxis, ..., np.newaxis].astype("float32")
    following = [callbacks.Checkpoint(tmp_path), *watching]
    network.fit(*batch, validation_data=batch, epochs=2, callbacks=following, verbose=0)
    found = read_events(tmp_path / "tensorboard")
    assert {"epoch_loss", "epoch_accuracy"} <= found.keys()
    assert found["overlay"] == [0, 1]


def read_events(folder):
    """Steps by tag of everything that was written for TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    steps = {}
    for file in folder.rglob("events.*"):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    return {tag: sorted(set(found)) for tag, found in steps.items()}


LEARNED = [(0.9, 0.5, 0), (0.75, 0.01, 1), (0.75, 0.4, 0), (0.9, 0, 1)]


@pytest.mark.parametrize(("accuracy", "iou", "said"), LEARNED)
def test_a_network_that_learned_nothing_is_said_to_in_one_line(accuracy, iou, said, capsys):
    watch = callbacks.Learning([np.array([[True, True], [True, False]])], KNOWN)
    logs = {"val_accuracy": accuracy, "val_membrane_iou": iou}
    watch.on_epoch_end(0, logs)
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, logs)
    assert not capsys.readouterr().out


def test_imbalance_is_a_cause_where_a_class_is_rare_and_never_seen(capsys):
    rare = replace(KNOWN, names=("skin", "spot"), pixels=(999, 1))
    watch = callbacks.Learning([np.array([[True, True], [True, False]])], rare)
    watch.on_epoch_end(0, {"val_accuracy": 0.9, "val_spot_iou": 0.2})
    assert not capsys.readouterr().out
    watch.on_epoch_end(1, {"val_accuracy": 0.9, "val_spot_iou": 0.0})
    assert "No spot is found after epoch 2" in (printed := capsys.readouterr().out)
    assert "imbalance (spot has 0.10% of the pixels" in printed


def test_the_best_epoch_on_the_held_out_sections_is_kept(tmp_path):
    network = keras.Sequential([keras.layers.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    network.compile(keras.optimizers.SGD(0.0), "mse")
    kept = callbacks.Checkpoint(tmp_path)
    kept.set_model(network)
    for epoch, loss in enumerate([0.5, 0.3, 0.4]):
        network.layers[0].bias.assign([float(epoch)])
        kept.on_epoch_begin(epoch)
        kept.on_epoch_end(epoch, {"val_loss": loss})
    best = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert best.layers[-1].bias.numpy() == 1
    assert keras.saving.load_model(tmp_path / "last.keras").layers[-1].bias.numpy() == 2
