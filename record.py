"""Keep a run on disk, whole at every moment, so that it can be looked at, killed and resumed.

runs/<name>/ holds model.keras (the network with the lowest held-out loss), last.keras (network and optimiser after
the last finished epoch), history.csv (one row a finished epoch), and run.json (arguments, versions, device, seconds,
scores).
"""

import csv
import json
import platform
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

import formats
import metrics

SETTINGS = "settings.json"


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
    sections : batches.Sections
        What is held out.
    """

    def __init__(self, sections):
        super().__init__()
        self.sections = sections

    def on_epoch_end(self, epoch, logs=None):
        if epoch > 0:
            return
        constant = np.mean([metrics.constant_accuracy(label) for label in self.sections.labels])
        answers = self.model.predict_on_batch(self.sections[0][0])
        if logs["val_accuracy"] <= constant or np.ptp(answers) < 0.01:
            print(
                f"\nNothing learned in the first epoch: accuracy {logs['val_accuracy']:.4f} on what is held out, where "
                f"one answer for every pixel has {constant:.4f}. Likely causes: labels that do not belong to their "
                "images, a --learning-rate too high or too low, too few --steps-per-epoch. Going on."
            )


def save_network(network, path, **settings):
    """Save a network, whole or not at all, with the settings of its masks beside it in the archive."""
    with formats.whole_file(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(SETTINGS, json.dumps(settings))


def read_settings(path):
    """The settings that a network was saved with; an empty dict for a network that others have saved."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(SETTINGS)) if SETTINGS in archive.namelist() else {}


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
    backend = keras.backend.backend()
    packages = ["keras", backend, "numpy", "scipy", "scikit-image"]
    summary = {
        "arguments": {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()},
        "seed": arguments["seed"],
        "device": device(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        **results,
    }
    with formats.whole_file(run / "run.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")


def read_arguments(run):
    """The arguments of a recorded run by name, without `resume`; an empty dict if there is no such run."""
    try:
        arguments = json.loads((run / "run.json").read_text())["arguments"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: value for name, value in arguments.items() if name != "resume"}


def find_differences(run, arguments):
    """Problems with resuming a run with other arguments than its own; data and run may have moved."""
    if not (run / "last.keras").is_file():
        return [f"{run}: no finished epoch to resume from; start the run without --resume."]
    return [
        f"--{name.replace('_', '-')} {arguments[name]}: the run in {run} has {value}; leave it out, or start a new run."
        for name, value in read_arguments(run).items()
        if name not in ("data", "run") and arguments.get(name) != value
    ]


def state(run):
    """What is left of a run that was stopped, in a sentence."""
    if not (run / "last.keras").is_file():
        return "No epoch had finished."
    return f"{len(read_history(run / 'history.csv'))} epochs are kept in {run}; --resume goes on from there."


def device():
    """Where Keras computes and with what, found by asking a tensor: "CPU:0 (tensorflow)"."""
    place = str(keras.ops.zeros(1).device).split("device:")[-1]
    return f"{place} ({keras.backend.backend()})"
