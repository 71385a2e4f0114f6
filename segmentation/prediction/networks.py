"""A trained network in a file, with the settings it has to be used with."""

from __future__ import annotations  # some fields have the names of the modules of their types

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import lazy_loader

from segmentation import devices
from segmentation.files import scaling, writing
from segmentation.prediction import watershed

keras = lazy_loader.load("keras")

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What a network has to be used with: how images become its input, and its probabilities a mask.

    `border` is that of `watershed.mask_cells`: no lines, unless main.py has chosen them. `values` are what is written
    for each class, as `classes.Classes.written`, `palette` the colours they are shown in, as for `writing.write_mask`,
    and `names` what the classes are called; `shown` is the number of the one that pictures show. `scaling` is that of
    the training images, `turns` one of `geometry.TURNS`, the flips and rotations that the network was trained on, and
    `channels` are the names of its channels, if they have some. `temperature` is that of `calibration.calibrate`, or
    one for each class, for probabilities that are shown or written; masks do without. `smallest` are the pixels that
    objects have at least, as nearly all of the labels do; masks hold smaller ones, too.
    """

    border: float = watershed.NO_LINES
    values: tuple = (0, 255)
    palette: tuple | None = None
    names: tuple = ()
    shown: int = 0
    scaling: scaling.Scaling = scaling.BY_DTYPE
    turns: str = "all"
    channels: tuple = ()
    temperature: float | tuple = 1.0
    smallest: int = 1

    def choose_turns(self, flips=True):
        """The turns to be averaged: those of the training, or without flips none."""
        return self.turns if flips else "none"

    @property
    def titles(self):
        """What the classes are called: by their values if they have no names."""
        return self.names or tuple(map(str, self.values))

    @classmethod
    def from_json(cls, text, classes):
        """The settings that were saved with a network of so many classes; what is not among them has its default."""
        saved = json.loads(text)
        # Of two classes version 1.0 has saved one value, which was not written.
        values = saved.get("values", range(classes)) if classes > 1 else cls.values
        palette, scaled = saved.get("palette"), saved.get("scaling", {})
        return cls(
            border=saved.get("border", cls.border),
            values=tuple(values),
            palette=tuple(palette) if palette else None,
            names=tuple(saved.get("names", ())),
            shown=saved.get("shown", cls.shown),
            scaling=scaling.Scaling(**{name: _to_tuple(value) for name, value in scaled.items()}),
            turns=saved.get("turns", cls.turns),
            channels=tuple(saved.get("channels", ())),
            temperature=_to_tuple(saved.get("temperature", cls.temperature)),
            smallest=saved.get("smallest", cls.smallest),
        )

    def to_json(self):
        return json.dumps(asdict(self))


def _to_tuple(value):
    """A tuple in place of a list, which is what JSON makes of one."""
    return tuple(value) if isinstance(value, list) else value


def save_network(network, path, settings=None):
    """Save a network, whole or not at all, with its `Settings` beside it in the archive."""
    with writing.whole_file(path) as temporary, devices.undistributed():
        network.save(temporary)
        if settings:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(SETTINGS, settings.to_json())


def load_network(file):
    """Load a network that main.py has saved, and the settings it has to be used with.

    Layers of one's own are known if they are registered in model.py, that of this folder or of the clone.

    Returns
    -------
    network : keras.Model
        One that was trained in bfloat16 computes in it only where that is fast.
    settings : Settings
        Those it was saved with; the defaults for a network that others have saved.

    Raises
    ------
    ValueError
        If the file is missing or is no Keras model from images to probabilities.
    """
    check_file(file)
    devices.start()
    try:
        import model  # noqa: F401 (Keras can load layers of one's own only once they are registered there)
    except ModuleNotFoundError as error:
        if error.name != "model":  # which is not to be found from outside the clone
            raise
    try:
        network = keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises anything from OSError to KeyError here
        raise ValueError(f"{file}: cannot be loaded as a Keras model ({str(error).splitlines()[0]}).") from None
    shapes = network.input_shape, network.output_shape
    if any(len(shape) != 4 for shape in shapes) or shapes[0][-1] is None:
        raise ValueError(f"{file}: expected a network from images to probabilities, found shapes {shapes}.")
    if not devices.has_bfloat16():
        network = in_float32(network)
    with zipfile.ZipFile(file) as archive:
        saved = archive.read(SETTINGS) if SETTINGS in archive.namelist() else "{}"
    return network, Settings.from_json(saved, classes=shapes[1][-1])


def average(members):
    """A network that gives the mean of the probabilities of several of one architecture; `find_members` has them back.

    Parameters
    ----------
    members : sequence of keras.Model

    Returns
    -------
    keras.Model
    """
    inputs = keras.Input(members[0].input_shape[1:], name="image")
    # Models around the same layers, since the names of a network's parts have to differ.
    named = [keras.Model(one.inputs[0], one.outputs[0], name=f"member{i}") for i, one in enumerate(members, start=1)]
    mean = keras.layers.Average(dtype="float32", name="probability")([member(inputs) for member in named])
    return keras.Model(inputs, mean, name="average")


def find_members(network):
    """The networks that an `average` is of; of any other network itself, in a list."""
    inside = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    return inside if network.name == "average" and inside else [network]


def read_digest(file):
    """SHA-256 of a network's file, in hexadecimal; ValueError as from `check_file`."""
    check_file(file)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def check_file(file):
    """Raise a ValueError if a network's file is missing or is no archive, without starting Keras."""
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; train a network with main.py, or name another.")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: cannot be loaded as a Keras model (it is no .keras file).")


def in_float32(network):
    """The same keras.Model, with every layer computing in float32."""
    members = find_members(network)
    if len(members) > 1:
        return average([in_float32(member) for member in members])
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network
    retyped = keras.models.clone_model(
        network, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "float32"})
    )
    retyped.set_weights(network.get_weights())
    return retyped


def copy_weights(file, network):
    """Give a network the weights of a trained one of the same architecture, which may have been for other images.

    Layers whose shapes depend on channels or classes that the two do not share keep their own weights.
    """
    trained, _ = load_network(file)
    for own, other in zip(network.layers, trained.layers, strict=True):
        if [weight.shape for weight in own.weights] == [weight.shape for weight in other.weights]:
            own.set_weights(other.get_weights())
