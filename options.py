"""The options of main.py: of which kind they are, and what would keep them from working."""

import argparse
import inspect
import tempfile

import check
import model
import record


def find_problems(arguments):
    """List everything that would stop a run of main.py, before it starts."""
    problems = check.dataset(arguments.data, arguments.validation_fraction, arguments.crop)
    problems += writable(arguments.run) + writable(arguments.data / "test")
    if arguments.crop % 2**arguments.depth:
        problems.append(f"--crop {arguments.crop}: not divisible by 2^{arguments.depth}, as --depth needs.")
    if arguments.resume:
        problems += record.find_differences(arguments.run, vars(arguments))
    return problems


def writable(folder):
    """Problems with writing to a folder that exists, or that would have to be made."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return [f"{existing}: cannot be written to ({error.strerror}); {folder} is needed for results."]
    return []


def architectures():
    """Names of the functions of model.py that build a network: those with a `depth`."""
    functions = inspect.getmembers(model, inspect.isfunction)
    return [name for name, function in functions if "depth" in inspect.signature(function).parameters]


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


def share(text):
    """A float between 0 and 1, for argparse."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text}")
    return float(text)


def rate(text):
    """A float above 0, for argparse."""
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return float(text)
