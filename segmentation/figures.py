"""Pictures: overlays, curves, the network. Draws what it is given; predicts and reads nothing."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from segmentation.files import writing

# Okabe and Ito's palette, told apart by colour-blind readers too.
FOUND, MISSED, EXTRA = "#009E73", "#D55E00", "#56B4E9"
LAYER_COLOURS = {
    "Conv2D": "#56B4E9",
    "Conv2DTranspose": "#009E73",
    "MaxPooling2D": "#E69F00",
    "Concatenate": "#BBBBBB",
    "Dropout": "#F0E442",
}


def overlay(image, label, mask):
    """Colour a section by what became of its membranes.

    Parameters
    ----------
    image : float array (height, width, channels) in [0, 1]
    label, mask : arrays (height, width)
        bool, True inside cells; or the numbers of more than two classes.

    Returns
    -------
    float array (height, width, 3) in [0, 1]
        Found membrane green, missed membrane orange, mask where there is no membrane blue. Of more than two classes,
        wrong pixels orange.
    """
    picture = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
    if label.dtype == bool:
        parts = (~label & ~mask, FOUND), (~label & mask, MISSED), (label & ~mask, EXTRA)
    else:
        parts = ((label != mask, MISSED),)
    for where, colour in parts:
        picture[where] = 0.45 * picture[where] + 0.55 * np.array(matplotlib.colors.to_rgb(colour))
    return picture


def draw_overlay(image, label, mask):
    """Figure of a section, its label, its mask and the overlay of the three; arrays as in `overlay`."""
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    brightest = max(label.max(), mask.max(), 1)
    pictures = {"section": image, "label": label / brightest, "mask": mask / brightest}
    pictures["overlay"] = overlay(image, label, mask)
    for axes, (title, picture) in zip(figure.subplots(1, 4), pictures.items(), strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title)
        axes.axis("off")
    names = {"membrane found": FOUND, "missed": MISSED, "extra": EXTRA} if label.dtype == bool else {"wrong": MISSED}
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in names.items()], loc="outside lower center", ncols=3
    )
    return figure


def draw_pairs(images, labels):
    """Figure of images, in a row, above their labels.

    Parameters
    ----------
    images : sequence of float arrays (height, width, channels) in [0, 1]
    labels : sequence of arrays (height, width) or (height, width, 1)
    """
    figure = Figure(figsize=(2.2 * len(images), 4.4), layout="constrained")
    for axes, pair in zip(
        figure.subplots(2, len(images), squeeze=False).T, zip(images, labels, strict=True), strict=True
    ):
        for ax, picture in zip(axes, pair, strict=True):
            ax.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.axis("off")
    return figure


def draw_curves(rows):
    """Figure of loss, accuracy and membrane IoU by epoch, in training and on the held-out sections.

    Parameters
    ----------
    rows : list of dict of str to float
        As `runs.read_history` gives them.
    """
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    names = [name for name in rows[0] if f"val_{name}" in rows[0]]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        axes.plot(epochs, [row[name] for row in rows], "o-", color="#999999", label="training (crops, augmented)")
        axes.plot(
            epochs, [row[f"val_{name}"] for row in rows], "o-", color="#0072B2", label="held out (whole sections)"
        )
        axes.set(xlabel="epoch", title=name.replace("_", " ").replace("iou", "IoU"))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_comparison(histories):
    """Figure of what several runs reach on their held-out sections, by epoch and by minutes.

    Parameters
    ----------
    histories : dict of str to list
        Rows as `runs.read_history` gives them, by the name of the run.
    """
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    axes = figure.subplots(2, 2, sharey="row")
    for name, rows in histories.items():
        minutes = np.cumsum([row["seconds"] for row in rows]) / 60
        for ax, score in zip(axes, ("val_loss", "val_accuracy"), strict=True):
            ax[0].plot([row["epoch"] for row in rows], [row[score] for row in rows], "o-", label=name)
            ax[1].plot(minutes, [row[score] for row in rows], "o-")
            ax[0].set(ylabel=score.replace("val_", "held-out "))
    axes[1, 0].set(xlabel="epoch")
    axes[1, 1].set(xlabel="minutes of training")
    axes[0, 0].legend()
    for ax in axes.flat:
        ax.grid(alpha=0.3)
    return figure


def draw_network(network, side=512):
    """Figure of a network: a box a layer, as tall as its picture, with its channels; arrows for the skips.

    Parameters
    ----------
    network : keras.Model
    side : int
        Side of the image that the sizes are worked out for.
    """
    import keras  # not above: the other pictures, and evaluate.py, do without

    single = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    network = keras.models.clone_model(single, input_tensors=keras.Input((side, side, network.input_shape[-1])))
    drawn = [layer for layer in network.layers if type(layer).__name__ in LAYER_COLOURS]
    figure = Figure(figsize=(14, 5), layout="constrained")
    axes = figure.subplots()
    positions = {}
    for x, layer in enumerate(drawn):
        height, channels = layer.output.shape[1], layer.output.shape[-1]
        level = np.log2(side / height)
        positions[layer.name] = x, -level
        tall = 0.8 * 0.82**level
        axes.add_patch(Rectangle((x - 0.35, -level - tall / 2), 0.7, tall, color=LAYER_COLOURS[type(layer).__name__]))
        axes.text(x, -level + tall / 2 + 0.04, channels, ha="center", fontsize=9)
        if type(layer).__name__ == "Concatenate":
            skip = _find_drawn(layer.input[0], positions)
            axes.annotate(
                "",
                (x - 0.4, -level),
                (positions[skip][0] + 0.4, -level),
                arrowprops={"arrowstyle": "->", "color": "#666666"},
            )
    for level in sorted({y for _, y in positions.values()}):
        axes.text(-1, level, f"{int(side * 2**level)}²", ha="right", va="center", fontsize=10)
    axes.set(xlim=(-2, len(drawn)), ylim=(min(y for _, y in positions.values()) - 0.7, 0.7))
    axes.axis("off")
    handles = [Patch(color=colour, label=name) for name, colour in LAYER_COLOURS.items()]
    axes.legend(handles=handles, loc="lower right", frameon=False)
    axes.set_title(f"{network.name}: {network.count_params():,} parameters")
    return figure


def _find_drawn(tensor, positions):
    """Name of the layer with a box that a tensor comes from, through layers without one."""
    layer = tensor._keras_history.operation
    while layer.name not in positions:
        layer = layer.input._keras_history.operation
    return layer.name


def save(figure, path):
    """Write a figure as PNG, whole or not at all."""
    with writing.whole_file(path) as temporary:
        figure.savefig(temporary, dpi=110)


def save_picture(picture, path):
    """Write an array as PNG: bool or float in [0, 1], (height, width) or (height, width, 3)."""
    with writing.whole_file(path) as temporary:
        matplotlib.image.imsave(temporary, np.asarray(picture, float), cmap="gray", vmin=0, vmax=1)
