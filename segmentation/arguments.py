"""Options that several commands share: kinds of numbers, the network, what labels and grey values mean."""

import argparse
from pathlib import Path

from segmentation.files import description, scaling
from segmentation.training import runs

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "model.keras"


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Help that tells the defaults of options, where there is something to tell."""

    def _get_help_string(self, action):
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def _number(kind, expected, holds):
    """A type for argparse: an int or a float that is as expected."""

    def parse(text):
        number = kind(text)
        if not holds(number):
            raise argparse.ArgumentTypeError(f"expected {expected}, found {text}")
        return number

    parse.__name__ = kind.__name__  # which argparse names where the text is no number
    return parse


positive = _number(int, "a number above 0", lambda number: number > 0)
several = _number(int, "2 or more", lambda number: number > 1)
natural = _number(int, "0 or more", lambda number: number >= 0)
fraction = _number(float, "a number between 0 and 1", lambda number: 0 < number < 1)
share = _number(float, "a number from 0 to 1", lambda number: 0 <= number <= 1)
portion = _number(float, "a number from 0 to below 1", lambda number: 0 <= number < 1)
rate = _number(float, "a number above 0", lambda number: 0 < number < float("inf"))


def add_network(parser, name="--model", **options):
    """Add the option, or the argument, of a network to an ArgumentParser; `find_network` says which one is meant."""
    how = "a network, or the folder of its run; if not given, that of the run that ended last, or else the bundled one"
    parser.add_argument(name, type=Path, metavar="MODEL", help=how, **options)


def find_network(named):
    """The file of the network that is meant, and a line that says which it is and what it was trained on.

    Parameters
    ----------
    named : Path or None
        What the user has named, a file or the folder of a run; if nothing, the network of the run in runs/ that ended
        last, or the bundled one.

    Returns
    -------
    file : Path
    line : str
    """
    folder = runs.find_latest("runs") if named is None else named if named.is_dir() else None
    file = folder / "model.keras" if folder else named or PRETRAINED
    data = runs.read_arguments(file.parent).get("data")
    return file, f"Network: {file}, trained on {data or 'unknown data (there is no run.json beside it)'}."


def add_meaning(parser, images=True):
    """Add the options that say what labels and, with `images`, grey values mean where it is not known."""
    how = "a label's value, or a colour such as '#ff8000', that is not labelled: it counts nowhere"
    parser.add_argument("--ignore", type=value, metavar="VALUE", help=how)
    how = "labels number objects: learn inside and outside, with a border one pixel wide between those that touch"
    parser.add_argument("--objects", action="store_true", help=how)
    how = "how grey values are scaled: by dtype, by the range of the dataset, or of each image; chosen if none is given"
    if images:
        parser.add_argument("--scaling", choices=scaling.RULES, help=how)


def value(text):
    """A label's value, or a colour, for argparse."""
    try:
        return description.parse_value(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
