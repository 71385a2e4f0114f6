import keras
import numpy as np
from conftest import draw_section
from PIL import Image
from test_tiles import build

import devices
import figures
import record
import watch


def run_epochs(run, network, watching, epochs):
    kept = record.Record(run)
    for callback in (kept, *watching):
        callback.set_model(network)
    for epoch in range(epochs):
        kept.on_epoch_begin(epoch)
        for callback in (kept, *watching):
            callback.on_epoch_end(epoch, {"loss": 1.0, "accuracy": 0.8, "val_loss": 1.0, "val_accuracy": 0.8})


def section():
    image, label = draw_section(np.random.default_rng(0))
    return image[..., np.newaxis] / np.float32(255), label


def test_pictures_follow_each_epoch(tmp_path):
    shown = []
    pictures = watch.Pictures(tmp_path, *section(), show=lambda name, figure: shown.append(name))
    run_epochs(tmp_path, build(2), [pictures], 1)
    first = (tmp_path / "curves.png").read_bytes()
    run_epochs(tmp_path, build(2), [pictures], 2)
    assert (tmp_path / "curves.png").read_bytes() != first
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.width > 800
    assert shown == ["curves", "overlay"] * 3


def test_no_overlay_where_it_would_need_every_device(tmp_path):
    run_epochs(tmp_path, build(2), watch.callbacks(tmp_path, *section(), devices.Group(0, 2, 2)), 1)
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "overlay.png").exists()


def test_tensorboard_gets_scalars_and_overlays(tmp_path):
    image, label = section()
    network = build(2)
    network.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    watching = watch.callbacks(tmp_path, image, label, devices.ALONE, tensorboard=True)
    batch = image[np.newaxis], label[np.newaxis, ..., np.newaxis].astype("float32")
    callbacks = [record.Record(tmp_path), *watching]
    network.fit(*batch, validation_data=batch, epochs=2, callbacks=callbacks, verbose=0)
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


def test_runs_are_compared_in_one_picture_and_one_table(tmp_path, capsys):
    for name, accuracy in (("a", 0.8), ("b", 0.9)):
        (tmp_path / name).mkdir()
        run_epochs(tmp_path / name, build(2), [], 2)
        keras.utils.set_random_seed(0)
        record.write_summary(tmp_path / name, {"seed": 0}, scores={"held out": {"accuracy": accuracy}})
    out = tmp_path / "comparison.png"
    assert figures.main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["accuracy"]
    assert printed[1].endswith("0.8000")
    assert printed[2].endswith("0.9000")
    with Image.open(out) as picture:
        assert picture.width > 800
    assert figures.main(["compare", str(tmp_path / "none")]) == 2
    assert "none: no history.csv" in capsys.readouterr().err
