import numpy as np
import pytest
from PIL import Image

from model import unet
from segmentation import figures


def test_overlay_colours_found_missed_and_extra_membrane():
    label = np.array([[False, False, True, True]])
    mask = np.array([[False, True, False, True]])
    picture = figures.overlay(np.ones((1, 4, 1), "float32"), label, mask, shown=0)
    assert picture.shape == (1, 4, 3)
    found, missed, extra, cell = picture[0]
    assert found.argmax() == 1  # green
    assert missed.argmax() == 0  # orange
    assert extra.argmax() == 2  # blue
    assert cell.tolist() == [1, 1, 1]


def test_curves_show_training_and_held_out(tmp_path, pictures):
    rows = [
        {"epoch": i, "seconds": 1, "loss": 1 / i, "accuracy": 0.9, "val_loss": 2 / i, "val_accuracy": 0.8}
        for i in (1, 2)
    ]
    figure = figures.draw_curves(rows)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    training, held_out = figure.axes[0].lines
    assert training.get_ydata().tolist() == [1, 0.5]
    assert held_out.get_ydata().tolist() == [2, 1]
    figures.save(figure, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 800


@pytest.mark.parametrize("areas", [[], [1], [20, 30, 5000]])
def test_sizes_are_drawn_of_any_number_of_objects(areas):
    axes = figures.draw_sizes(areas).axes[0]
    assert axes.get_title() == f"{len(areas)} objects"
    assert sum(patch.get_height() for patch in axes.patches) == len(areas)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_network_is_drawn_from_the_model_itself(depth):
    network = unet(width=2, depth=depth)
    axes = figures.draw_network(network, side=64).axes[0]
    kinds = [type(layer).__name__ for layer in network.layers]
    assert len(axes.patches) == sum(kinds.count(kind) for kind in figures.LAYER_COLOURS)
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("") == depth  # an arrow a skip
    assert {f"{64 // 2**level}²" for level in range(depth + 1)} <= set(texts)
    assert f"{network.count_params():,}" in axes.get_title()
