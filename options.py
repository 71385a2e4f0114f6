"""The options of main.py: of which kind they are, and what would keep them from working."""

import argparse
import inspect
import tempfile
from pathlib import Path

import check
import model
import record


def parse(argv, description):
    """Parse the command line; what it leaves out comes from the run to be resumed, or from the defaults.

    Parameters
    ----------
    argv : list of str, or None for the command line itself
    description : str
        Whose first paragraph is shown by --help.
    """
    parser = argparse.ArgumentParser(
        description=description.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/membrane"), help="dataset: train/image, train/label, test")
    add("--epochs", type=positive, default=5, help="passes of --steps-per-epoch batches")
    add("--steps-per-epoch", type=positive, default=220, help="batches an epoch")
    add("--batch-size", type=positive, default=4, help="crops a batch")
    add("--crop", type=positive, default=256, help="side of a training crop in pixels")
    add(
        "--model",
        choices=architectures(),
        default="unet",
        help="the function of model.py that builds the network",
    )
    add("--width", type=positive, default=12, help="channels at full resolution; 64 in the paper")
    add("--depth", type=positive, default=4, help="how many times the image is halved")
    add("--weights", type=Path, metavar="FILE", help="a trained network to start from; random weights if none is named")
    add("--learning-rate", type=rate, default=3e-3, help="Adam's, at the start; it falls to 0 along a cosine")
    add("--turns", action=argparse.BooleanOptionalAction, default=True, help="train on the eight flips and rotations")
    add(
        "--grey",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="train on changes of contrast, brightness and noise",
    )
    add("--elastic", type=natural, default=0, help="pixels of elastic deformation; 10 in the paper")
    add("--border-weight", type=natural, default=0, help="w0 of narrow borders between cells; 10 in the paper")
    add("--border-sigma", type=positive, default=5, help="sigma in pixels, by which a border is narrow; 5 in the paper")
    add("--validation-fraction", type=fraction, default=0.2, help="share of train/ held out, its last sections")
    add("--seed", type=natural, default=0, help="of weights, crops and dropout")
    add("--run", type=Path, help="folder of the run; runs/<name of the data folder> if none is named")
    how = "compute in bfloat16, with weights in float32; if neither is said, on GPUs that are made for it"
    add("--mixed-precision", action=argparse.BooleanOptionalAction, help=how)
    add("--tensorboard", action="store_true", help="write scores and overlays for TensorBoard to RUN/tensorboard")
    add("--resume", action="store_true", help="go on after the last finished epoch, with the run's own arguments")
    arguments = parser.parse_args(argv)
    arguments.run = arguments.run or Path("runs") / arguments.data.resolve().name
    if arguments.resume:
        parser.set_defaults(**record.read_arguments(arguments.run))
        arguments = parser.parse_args(argv, argparse.Namespace(run=arguments.run))
    return arguments


def find_problems(arguments, group):
    """List everything that would stop a run of main.py, before it starts."""
    problems = check.dataset(arguments.data, arguments.validation_fraction, arguments.crop)
    problems += writable(arguments.run) + writable(arguments.data / "test")
    if arguments.crop % 2**arguments.depth:
        problems.append(f"--crop {arguments.crop}: not divisible by 2^{arguments.depth}, as --depth needs.")
    if arguments.batch_size % group.devices:
        problems.append(f"--batch-size {arguments.batch_size}: cannot be shared evenly by {group.devices} devices.")
    if arguments.resume:
        problems += record.find_differences(arguments.run, vars(arguments))
    elif arguments.weights:
        problems += find_misfit(arguments)
    return problems


def find_misfit(arguments):
    """Problems with starting from `--weights`."""
    try:
        trained, _ = record.load_network(arguments.weights)
    except ValueError as error:
        return [f"--weights {error}"]
    shape, classes = trained.input_shape[1:], trained.output_shape[-1]
    network = getattr(model, arguments.model)(shape, classes, width=arguments.width, depth=arguments.depth)
    if [weight.shape for weight in network.weights] != [weight.shape for weight in trained.weights]:
        return [f"--weights {arguments.weights}: is a network of another --model, --width or --depth."]
    return []


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
