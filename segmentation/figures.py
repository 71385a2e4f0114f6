"""Pictures: overlays, curves, the network. Draws what it is given; predicts and reads nothing."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from segmentation.files import classes, writing

# Okabe and Ito's palette, told apart by colour-blind readers too.
FOUND, MISSED, EXTRA = "#009E73", "#D55E00", "#56B4E9"
SEEN = "#0072B2"
ACROSS = 5  # panels in a row
LAYER_COLOURS = {
    "Conv2D": "#56B4E9",
    "Conv2DTranspose": "#009E73",
    "MaxPooling2D": "#E69F00",
    "Concatenate": "#BBBBBB",
    "Dropout": "#F0E442",
}


def show_grey(image):
    """An image (height, width, channels) as a grey picture (height, width) in [0, 1]: the mean of its channels."""
    return np.clip(np.mean(image, axis=-1), 0, 1)


def _show(image):
    """An image as it can be drawn: in colour if it has three channels, or else in grey."""
    return np.clip(np.asarray(image), 0, 1) if image.shape[-1] == 3 else show_grey(image)


def overlay(image, label, mask, shown):
    """Colour a section by what became of one of two classes.

    Parameters
    ----------
    image : float array (height, width, channels), about 0 to 1
    label, mask : arrays (height, width)
        Classes, as from `classes.classify`.
    shown : int or None
        The class; None where there are more than two.

    Returns
    -------
    float array (height, width, 3) in [0, 1]
        What was found green, what was missed orange, mask where there is none blue. Of more than two classes, wrong
        pixels orange. What is not labelled is not coloured.
    """
    picture = np.repeat(show_grey(image)[..., np.newaxis], 3, axis=-1)
    counted = classes.known(label)
    if shown is None:
        parts = ((label != mask, MISSED),)
    else:
        true, found = label == shown, mask == shown
        parts = (true & found, FOUND), (true & ~found, MISSED), (~true & found, EXTRA)
    for where, colour in parts:
        where = where & counted
        picture[where] = 0.45 * picture[where] + 0.55 * np.array(matplotlib.colors.to_rgb(colour))
    return picture


def find_shown(known):
    """The class of an overlay: the rarer of two of a `classes.Classes`, None of more."""
    return known.order[0] if len(known.values) == 2 else None


def draw_overlay(image, label, mask, known):
    """Figure of a section, its label, its mask and the overlay of the three; arrays as in `overlay`.

    The class of the overlay is the rarer of two of `known`, a `classes.Classes`.
    """
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    shown = find_shown(known)
    brightest = len(known.values) - 1
    grey = np.where(classes.known(label), label / brightest, 0.5)
    pictures = {"section": _show(image), "label": grey, "mask": mask / brightest}
    pictures["overlay"] = overlay(image, label, mask, shown)
    for axes, (title, picture) in zip(figure.subplots(1, 4), pictures.items(), strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title)
        axes.axis("off")
    names = {"wrong": MISSED}
    if shown is not None:
        names = {f"{known.names[shown]} found": FOUND, "missed": MISSED, "extra": EXTRA}
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in names.items()], loc="outside lower center", ncols=3
    )
    return figure


def draw_places(places):
    """Figure of places in images, a panel each, with the outlines of what is labelled and of what is seen.

    Parameters
    ----------
    places : list of (image, label, mask, title)
        An image (height, width, channels), about 0 to 1, and its classes, as labelled and as seen.
    """
    columns = min(ACROSS, len(places))
    rows = -(-len(places) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, (image, label, mask, title) in zip(panels, places, strict=False):
        axes.imshow(_show(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for picture, colour in ((label, MISSED), (mask, SEEN)):
            numbers = picture.astype(int)
            if np.ptp(numbers):
                axes.contour(numbers, levels=np.unique(numbers)[1:] - 0.5, colors=colour, linewidths=1.2)
        axes.set_title(title, fontsize=8, wrap=True)
    names = {"labelled": MISSED, "seen": SEEN}
    handles = [Patch(color=colour, label=name) for name, colour in names.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def draw_pairs(images, labels):
    """Figure of images, in a row, above their labels.

    Parameters
    ----------
    images : sequence of float arrays (height, width, channels), about 0 to 1
    labels : sequence of arrays (height, width) or (height, width, 1)
    """
    figure = Figure(figsize=(2.2 * len(images), 4.4), layout="constrained")
    for axes, pair in zip(
        figure.subplots(2, len(images), squeeze=False).T, zip(images, labels, strict=True), strict=True
    ):
        for ax, picture in zip(axes, pair, strict=True):
            ax.imshow(
                _show(picture) if picture.ndim == 3 else picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest"
            )
            ax.axis("off")
    return figure


def draw_curves(rows):
    """Figure of loss, accuracy and IoU by epoch, in training and on the held-out sections.

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
        axes.set(xlabel="epoch", title=f"IoU of {name[:-4]}" if name.endswith("_iou") else name)
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


def draw_growth(name, counts, scores, outlook):
    """Figure of a score by the number of images, and what is foretold for twice as many.

    Parameters
    ----------
    name : str
    counts, scores, outlook
        As for `growth.describe`.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(counts, scores, "o-", color=SEEN, label="trained")
    beyond = [[outlook.score - outlook.lowest], [outlook.highest - outlook.score]]
    axes.errorbar(2 * counts[-1], outlook.score, beyond, fmt="o", color=MISSED, capsize=5, label="foretold")
    axes.plot([counts[-1], 2 * counts[-1]], [scores[-1], outlook.score], ":", color=MISSED)
    axes.set_xscale("log", base=2)
    axes.set_xticks([*counts, 2 * counts[-1]], [*counts, 2 * counts[-1]])
    axes.set(xlabel="labelled images", ylabel=name)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def draw_reliability(rows):
    """Figure of how often masks are right that are so sure, before and after calibration.

    Parameters
    ----------
    rows : dict of str to list
        As from `calibration.measure_reliability`, by "before" and "after".
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linestyle=":")
    for (name, values), colour in zip(rows.items(), ("#999999", SEEN), strict=True):
        sure, right, _ = zip(*values, strict=True) if values else ((), (), ())
        axes.plot(sure, right, "o-", color=colour, label=f"{name} calibration")
    lowest = min((min(row[:2]) for values in rows.values() for row in values), default=0)
    axes.set(xlabel="how sure the network is", ylabel="share that is right")
    axes.set(xlim=(lowest - 0.02, 1.02), ylim=(lowest - 0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    return figure


def draw_sizes(areas):
    """Figure of the sizes of objects: a histogram of their areas in pixels, on a logarithmic axis."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    areas = np.asarray(areas)
    if areas.size:
        axes.hist(areas, bins=np.geomspace(areas.min(), areas.max() + 1, 40), color=FOUND)
        axes.set_xscale("log")
        axes.axvline(np.median(areas), color="black", linestyle=":", label=f"median {np.median(areas):.0f}")
        axes.legend(frameon=False)
    axes.set(xlabel="area in pixels", ylabel="objects", title=f"{areas.size} objects")
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
