"""Keep a run on disk, whole at every moment, so that it can be looked at, killed and resumed.

runs/<name>/ holds model.keras (the network with the lowest held-out loss), last.keras (network and optimiser after
the last finished epoch), history.csv (one row a finished epoch), and run.json (arguments, versions, device, seconds,
scores).
"""

import csv
import json
import time
import zipfile
from pathlib import Path

import keras
import numpy as np

import cells
import devices
import formats
import metrics

SETTINGS = "settings.json"
PRETRAINED = Path(__file__).parent / "pretrained" / "model.keras"


class Record(keras.callbacks.Callback):
    """Write the run's files as each epoch ends.

    Parameters
    ----------
    run : Path
        An existing folder.
    epoch : int
        Epochs already finished; later rows of an earlier history.csv are dropped.
    """

    def __init__(self, run, epoch=0):
        super().__init__()
        self.run = run
        self.rows = read_history(run / "history.csv")[:epoch]

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.started, 1), **logs}
        if not any(earlier["val_loss"] <= row["val_loss"] for earlier in self.rows):
            # A model around the same layers that was never compiled: without the optimiser the file is a third.
            network = keras.Model(self.model.inputs[0], self.model.outputs[0], name=self.model.name)
            save_network(network, self.run / "model.keras")
        self.rows.append(row)
        with formats.whole_file(self.run / "history.csv") as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, row)
            table.writeheader()
            table.writerows(self.rows)
        # Last, since it says how far the run is: killed before this, the epoch is done again, with the same result.
        save_network(self.model, self.run / "last.keras")


class Learning(keras.callbacks.Callback):
    """Say so, in one line, if the network has learned nothing in its first epoch.

    Parameters
    ----------
    labels : list of arrays (height, width)
        Of what is held out.
    """

    def __init__(self, labels):
        super().__init__()
        self.constant = np.mean([metrics.constant_accuracy(label) for label in labels])

    def on_epoch_end(self, epoch, logs=None):
        # A network that answers every pixel alike is no better than that, either.
        if epoch == 0 and logs["val_accuracy"] <= self.constant:
            print(
                f"\nNothing learned in the first epoch: accuracy {logs['val_accuracy']:.4f} on what is held out, where "
                f"one answer for every pixel has {self.constant:.4f}. Likely causes: labels that do not belong to "
                "their images, a --learning-rate too high or too low, too few --steps-per-epoch. Going on."
            )


def save_network(network, path, **settings):
    """Save a network, whole or not at all, with the settings of its masks beside it in the archive."""
    with formats.whole_file(path) as temporary, devices.undistributed():
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(SETTINGS, json.dumps(settings))


def read_settings(path):
    """The settings that a network was saved with; an empty dict for a network that others have saved."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(SETTINGS)) if SETTINGS in archive.namelist() else {}


def load_network(file):
    """Load a network that main.py has saved, and what is to be done with its probabilities.

    Returns
    -------
    network : keras.Model
        One that was trained in bfloat16 computes in it only where that is fast.
    settings : dict
        `border`, as for `cells.to_mask`: no lines, if main.py has not chosen them. Of more than two classes `values`,
        the number to be written for each, and `palette`, as for `formats.write_mask`.

    Raises
    ------
    ValueError
        If the file is missing or is no Keras model from images to probabilities.
    """
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; train a network with main.py, or name another.")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: cannot be loaded as a Keras model (it is no .keras file).")
    try:
        network = keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises anything from OSError to KeyError here
        raise ValueError(f"{file}: cannot be loaded as a Keras model ({str(error).splitlines()[0]}).") from None
    shapes = network.input_shape, network.output_shape
    if any(len(shape) != 4 for shape in shapes) or shapes[0][-1] not in (1, 3):
        raise ValueError(f"{file}: expected a network from images to probabilities, found shapes {shapes}.")
    if not devices.has_bfloat16():
        network = in_float32(network)
    numbers = list(range(shapes[1][-1]))
    return network, {"border": cells.NO_LINES, "values": numbers, "palette": None, **read_settings(file)}


def in_float32(network):
    """The same keras.Model, with every layer computing in float32."""
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


def add_model(parser, name="--model", **options):
    """Add the option, or the argument, of a network to an ArgumentParser."""
    own = Path("runs/membrane/model.keras")
    how = "the trained network; if none is named that of runs/membrane, or else the one that comes with the repository"
    default = own if own.is_file() else PRETRAINED
    parser.add_argument(name, type=Path, metavar="MODEL", default=default, help=how, **options)


def read_history(file):
    """Rows of a history.csv as dicts of float; an empty list if there is none."""
    if not file.is_file():
        return []
    with file.open(newline="") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def open_run(run, arguments):
    """Make the folder of a run and write its arguments down.

    An earlier run of that name is moved aside, to `run`.1, .2 and so on: no run destroys another.
    """
    if not arguments["resume"] and (run / "run.json").is_file():
        number = 1
        while (aside := run.with_name(f"{run.name}.{number}")).exists():
            number += 1
        run.rename(aside)
        print(f"The earlier run in {run} is now {aside}.")
    run.mkdir(parents=True, exist_ok=True)
    write_summary(run, arguments)


def write_summary(run, arguments, **results):
    """Write run.json: the arguments, what they ran on, and the results so far."""
    summary = {
        "arguments": plain(arguments),
        "seed": arguments["seed"],
        **devices.describe(),
        **results,
    }
    with formats.whole_file(run / "run.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")


def plain(arguments):
    """Arguments as run.json holds them: paths as text."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}


def read_arguments(run):
    """The arguments of a recorded run by name, without `resume`; an empty dict if there is no such run."""
    try:
        arguments = json.loads((run / "run.json").read_text())["arguments"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: value for name, value in arguments.items() if name != "resume"}


def read_scores(run):
    """The scores of a recorded run, a dict of dicts; empty until it has ended."""
    try:
        return json.loads((run / "run.json").read_text()).get("scores", {})
    except (OSError, ValueError):
        return {}


def find_differences(run, arguments):
    """Problems with resuming a run with other arguments than its own; data and run may have moved."""
    if not (run / "last.keras").is_file():
        return [f"{run}: no finished epoch to resume from; start the run without --resume."]
    given = plain(arguments)
    return [
        f"--{name.replace('_', '-')} {arguments[name]}: the run in {run} has {value}; leave it out, or start a new run."
        for name, value in read_arguments(run).items()
        if name not in ("data", "run") and given.get(name) != value
    ]


def state(run):
    """What is left of a run that was stopped, in a sentence."""
    if not (run / "last.keras").is_file():
        return "No epoch had finished."
    return f"{len(read_history(run / 'history.csv'))} epochs are kept in {run}; --resume goes on from there."
