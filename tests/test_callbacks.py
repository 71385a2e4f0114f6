import keras
import numpy as np
import pytest
from helpers import draw_section, run_epochs, small_network
from PIL import Image

from segmentation import devices
from segmentation.training import callbacks


def section():
    image, label = draw_section(np.random.default_rng(0))
    return image[..., np.newaxis] / np.float32(255), label


def test_pictures_follow_each_epoch(tmp_path):
    shown = []
    pictures = callbacks.Pictures(tmp_path, *section(), show=lambda name, figure: shown.append(name))
    run_epochs(tmp_path, small_network(2), [pictures], 1)
    first = (tmp_path / "curves.png").read_bytes()
    run_epochs(tmp_path, small_network(2), [pictures], 2)
    assert (tmp_path / "curves.png").read_bytes() != first
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.width > 800
    assert shown == ["curves", "overlay"] * 3


def test_no_overlay_where_it_would_need_every_device(tmp_path):
    run_epochs(tmp_path, small_network(2), callbacks.watch(tmp_path, *section(), devices.Group(0, 2, 2)), 1)
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "overlay.png").exists()


def test_tensorboard_gets_scalars_and_overlays(tmp_path):
    image, label = section()
    network = small_network(2)
    network.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    watching = callbacks.watch(tmp_path, image, label, devices.ALONE, tensorboard=True)
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


@pytest.mark.parametrize(("accuracy", "said"), [(0.9, 0), (0.75, 1)])
def test_a_network_that_learned_nothing_is_said_to_in_one_line(accuracy, said, capsys):
    watch = callbacks.Learning([np.array([[True, True], [True, False]])])
    watch.on_epoch_end(0, {"val_accuracy": accuracy})
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, {"val_accuracy": accuracy})
    assert not capsys.readouterr().out


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
