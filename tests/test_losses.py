import keras
import numpy as np
import pytest

from segmentation.training import losses

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 2, (2, 4, 4, 1)).astype("float32")
PROBABILITY = RNG.uniform(0.05, 0.95, (2, 4, 4, 1)).astype("float32")
WEIGHT = RNG.uniform(0, 2, (2, 4, 4, 1)).astype("float32")


@pytest.mark.parametrize(
    ("options", "like"),
    [({}, keras.losses.BinaryCrossentropy()), ({"focal": True}, keras.losses.BinaryFocalCrossentropy(gamma=2))],
)
def test_pixels_lose_what_they_lose_in_keras(options, like):
    mine = losses.RareClasses(**options)(TRUTH, PROBABILITY, WEIGHT)
    np.testing.assert_allclose(mine, like(TRUTH, PROBABILITY, WEIGHT[..., 0]), rtol=1e-5)


def test_pixels_of_many_classes_lose_what_they_lose_in_keras():
    truth = RNG.integers(0, 5, (2, 4, 4, 1)).astype("float32")
    probability = RNG.dirichlet(np.ones(5), (2, 4, 4)).astype("float32")
    like = keras.losses.SparseCategoricalCrossentropy()(truth, probability, WEIGHT[..., 0])
    np.testing.assert_allclose(losses.RareClasses()(truth, probability, WEIGHT), like, rtol=1e-5)


def test_dice_is_that_of_a_batch_by_hand():
    truth = np.array([1, 1, 0, 0], "float32").reshape(1, 1, 4, 1)
    probability = np.array([0.8, 0.4, 0.2, 0.6], "float32").reshape(1, 1, 4, 1)
    # White: 2 * (0.8 + 0.4) + 1 of 2 + 2 + 1; black: 2 * (0.8 + 0.4) + 1 of 2 + 2 + 1.
    expected = 1 - 3.4 / 5
    added = losses.RareClasses(dice=True)(truth, probability) - losses.RareClasses()(truth, probability)
    assert float(added) == pytest.approx(expected, abs=1e-6)


def test_dice_leaves_out_pixels_without_weight_and_classes_that_are_not_there():
    loss = losses.RareClasses(dice=True)
    truth, weight = np.zeros((1, 2, 2, 1), "float32"), np.ones((1, 2, 2, 1), "float32")
    probability = np.full((1, 2, 2, 3), [0.98, 0.01, 0.01], "float32")
    sure = loss(truth, probability, weight)
    assert float(sure) < 0.05  # though two classes of three were not found
    truth[0, 0, 0], weight[0, 0, 0] = 2, 0
    assert float(loss(truth, probability, weight)) < 0.05


def test_a_compiled_network_is_saved_with_its_loss(tmp_path):
    network = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    network.compile("sgd", losses.find_loss("dice", 1))
    network.save(tmp_path / "last.keras")
    again = keras.saving.load_model(tmp_path / "last.keras").loss
    assert (again.dice, again.focal) == (True, False)


def test_rare_classes_weigh_more_and_all_pixels_one_on_average():
    weights = losses.weigh_classes([900, 100, 0])
    np.testing.assert_allclose(weights[:2] @ [0.9, 0.1], 1, rtol=1e-6)
    assert weights[1] / weights[0] == pytest.approx(np.sqrt(np.log(1.92) / np.log(1.12)), rel=1e-5)
    assert np.isfinite(weights[2])
