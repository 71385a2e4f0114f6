import keras
import numpy as np
import pytest

from segmentation.training import metrics


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_iou_is_that_of_keras(classes, weighted):
    rng = np.random.default_rng(0)
    ours = metrics.IoU(classes, [0] if classes == 2 else list(range(classes)), dtype="float32")
    theirs = (
        keras.metrics.BinaryIoU([0], dtype="float32")
        if classes == 2
        else keras.metrics.MeanIoU(classes, sparse_y_pred=False, dtype="float32")
    )
    for _ in range(3):
        truth = rng.integers(classes - (classes > 2), size=(2, 8, 8, 1))  # of many one is nowhere
        predicted = rng.random((2, 8, 8, 1 if classes == 2 else classes), "float32")
        weight = rng.random((2, 8, 8, 1), "float32") if weighted else None
        ours.update_state(truth, predicted, weight)
        # Keras takes the channel of one for an item of several, and weighs items.
        theirs.update_state(truth, predicted, weight if weight is None or classes == 2 else weight[..., 0])
    assert float(ours.result()) == pytest.approx(float(theirs.result()), abs=1e-6)
    assert 0 < float(ours.result()) < 1


@pytest.mark.parametrize("classes", [1, 4])
def test_the_iou_of_a_network_is_that_of_all_backends(classes, monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.integers(max(classes, 2), size=(2, 8, 8, 1))
    predicted = rng.random((2, 8, 8, classes), "float32")
    found = [metrics.find_iou(classes, 1, "iou")]
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    found.append(metrics.find_iou(classes, 1, "iou"))
    for one in found:
        one.update_state(truth, predicted)
    assert type(found[1]) is metrics.IoU and found[1].name == "iou"
    assert float(found[0].result()) == pytest.approx(float(found[1].result()), abs=1e-6)


def test_iou_is_saved_with_a_network(tmp_path):
    network = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    network.compile(loss="binary_crossentropy", weighted_metrics=[metrics.IoU(2, [1], name="nucleus_iou")])
    network.evaluate(np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1)), verbose=0)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    scores = loaded.evaluate(np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1)), verbose=0, return_dict=True)
    assert "nucleus_iou" in scores
