"""Options that several commands share: kinds of numbers, the network, packages that only some commands need."""

import argparse
from contextlib import contextmanager
from pathlib import Path

from segmentation.prediction import networks
from segmentation.training import runs


def positive(text):
    """An int above 0, for argparse."""
    if int(text) <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return int(text)


def natural(text):
    """An int of 0 or more, for argparse."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, found {text}")
    return int(text)


def fraction(text):
    """A float between 0 and 1, for argparse."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text}")
    return float(text)


def rate(text):
    """A float above 0, for argparse."""
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return float(text)


def add_network(parser, name="--model", **options):
    """Add the option, or the argument, of a network to an ArgumentParser; `find_network` says which one is meant."""
    how = "the trained network; if none is named, that of the run in runs/ that ended last, or else the bundled one"
    parser.add_argument(name, type=Path, metavar="MODEL", help=how, **options)


def find_network(named):
    """The file of the network that is meant, and a line that says which it is and what it was trained on.

    Parameters
    ----------
    named : Path or None
        What the user has named; if nothing, the network of the run in runs/ that ended last, or the bundled one.

    Returns
    -------
    file : Path
    line : str
    """
    latest = None if named else runs.find_latest("runs")
    file = named or (latest / "model.keras" if latest else networks.PRETRAINED)
    data = runs.read_arguments(file.parent).get("data")
    return file, f"Network: {file}, trained on {data or 'unknown data (there is no run.json beside it)'}."


@contextmanager
def needs(extra):
    """Around the import of packages that not every installation has: names the extra that brings them.

    Raises
    ------
    ValueError
        If a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is not installed: pip install -e ".[{extra}]"') from None
