"""Measure what needs a GPU: training steps, waiting for data, predictions, the schedule of zhixuhao/unet.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --isbi2012 data/isbi2012   # with that schedule, on sections 0 to 23

Steps are those of main.py's recipe, on a batch made beforehand, by each backend of Keras that is installed; the step of
the same network in plain PyTorch is compiled, in bfloat16, with its channels last. The rest is measured by one backend.
Each row is printed and kept in benchmarks/gpu.csv as it ends, by a process of its own for each backend and question.
"""

import argparse
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import kept
from segmentation.files import writing

ROWS = Path(__file__).with_suffix(".csv")
COLUMNS = ("device", "backend", "question", "width", "precision", "value")
KEY = COLUMNS[:-1]
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
OUTSIDE = 24  # the first sections, on which the schedule of zhixuhao/unet trains; the others are held out
STEPS = 10  # a turn of what waits for data
LIMIT = 240  # seconds that a process may take


def keep(**row):
    """Print a row, and keep it in place of an earlier one of the same question."""
    row = {title: str(row.get(title, "")) for title in COLUMNS}
    rows = {tuple(each[title] for title in KEY): each for each in kept.read_rows(ROWS)}
    rows[tuple(row[title] for title in KEY)] = row
    writing.write_table(ROWS, list(rows.values()), COLUMNS)
    print(", ".join(f"{value}" for value in row.values() if value), flush=True)


def keep_network(question, width, precision, value):
    """Keep what was measured of a network of model.py."""
    import keras

    from segmentation import devices

    keep(
        device=name_gpu() or devices.name_device(),
        backend=keras.backend.backend(),
        question=question,
        width=width,
        precision=precision,
        value=value,
    )


def name_gpu():
    """What the driver calls the first GPU, or None."""
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def build(width, precision):
    """The network of main.py's recipe, compiled."""
    import main as recipe
    from segmentation import devices
    from segmentation.files import classes
    from segmentation.training import planning

    devices.start()
    known = classes.Classes((0, 255), ("membrane", "cell"))
    options = recipe.parse(["--width", str(width), "--loss", "cross-entropy", "--steps-per-epoch", str(planning.STEPS)])
    with devices.precision(mixed=precision == "bfloat16"):
        network = recipe.build(options, channels=1, classes=1)
        recipe.compile_network(network, options, known)
    return network


def time_steps(options):
    """Seconds a step of the recipe takes, in float32 and in bfloat16."""
    import keras

    class Batch(keras.utils.PyDataset):
        def __len__(self):
            return self.steps

        def __getitem__(self, index):
            return batch

    batch = make_batch(options)
    for width, precision in itertools.product(options.widths, ("bfloat16", "float32")):
        network, source = build(width, precision), Batch(workers=4)

        def run(steps, network=network, source=source):
            source.steps = steps
            network.fit(source, verbose=0, shuffle=False)

        keep_network("seconds a step", width, precision, f"{measure(run, options.seconds):.5f}")


def make_batch(options):
    """Images and labels, float32 (batch, side, side, 1)."""
    rng = np.random.default_rng(0)
    image = rng.random((options.batch_size, options.side, options.side, 1), "float32")
    return image, (image > 0.5).astype("float32")


def measure(run, seconds):
    """Seconds that each of the steps of `run(steps)` takes: the median of three turns of about `seconds` each."""
    run(3)  # builds the graph
    started = time.perf_counter()
    run(10)
    steps = max(5, int(seconds / ((time.perf_counter() - started) / 10)))
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run(steps)
        times.append((time.perf_counter() - started) / steps)
    return np.median(times)


def time_plain_steps(options):
    """Seconds a step of the same network takes in plain PyTorch."""
    import torch

    from benchmarks import plain

    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, labels = (torch.from_numpy(np.moveaxis(array, -1, 1).copy()) for array in make_batch(options))
    for width in options.widths:
        network = plain.UNet(width).to(device, memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(network.parameters(), 3e-3, fused=device == "cuda")
        compiled = torch.compile(network)

        def run(steps, compiled=compiled, optimiser=optimiser):
            for _ in range(steps):
                image = images.to(device, memory_format=torch.channels_last, non_blocking=True)
                label = labels.to(device, non_blocking=True)
                with torch.autocast(device, torch.bfloat16):
                    loss = torch.nn.functional.binary_cross_entropy_with_logits(compiled(image), label)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            loss.item()

        keep(
            device=name_gpu() or device,
            backend="plain PyTorch",
            question="seconds a step",
            width=width,
            precision="bfloat16",
            value=f"{measure(run, options.seconds):.5f}",
        )


def time_loading(options):
    """Crops that so many threads make a second, and the share of a step that waits for them."""
    import data
    from benchmarks import loading

    pairs = data.read_pairs(options.data / "train")
    crops = data.Crops(pairs.images, pairs.labels, crop=options.side, batch_size=options.batch_size, steps=STEPS)
    networks = {width: build(width, "bfloat16") for width in options.widths}
    for workers in options.threads:
        made = loading.count_crops(crops, workers, batches=10 * workers)
        keep_network(f"crops a second of {workers} threads", "", "", f"{made:.0f}")
        for width, network in networks.items():
            waiting, taken = loading.find_shares(loading.time_sources(network, crops, workers, options.turns))
            keep_network(f"waits for {workers} threads", width, "bfloat16", f"{waiting:.3f}")
            keep_network(f"is lost to {workers} threads", width, "bfloat16", f"{waiting + taken:.3f}")


def time_predictions(options):
    """Megapixels a second of an image, as it is and averaged over its eight flips and rotations."""
    from segmentation.prediction import masks

    image = np.random.default_rng(0).random((options.pixels, options.pixels, 1), "float32")
    for width, turns in itertools.product(options.widths, ("none", "all")):
        network = build(width, "bfloat16")

        def run(steps, network=network, turns=turns):
            for _ in range(steps):
                masks.predict(network, image, turns)

        seconds = measure(run, options.seconds)
        keep_network(f"megapixels a second, turns {turns}", width, "bfloat16", f"{image.size / seconds / 1e6:.1f}")


def follow_schedule(options):
    """The accuracy of the recipe of zhixuhao/unet in training, and on what is held out, after each of its epochs."""
    import keras

    import data
    from benchmarks import original

    keras.utils.set_random_seed(0)
    pairs = data.read_pairs(options.isbi2012 / "train")
    batches = original.Pairs(pairs.images[:OUTSIDE], pairs.labels[:OUTSIDE], options.steps, workers=8)
    images, labels = pairs.images[OUTSIDE:], np.array(pairs.labels[OUTSIDE:]) == 1
    network = original.unet(options.original_width)
    started = time.perf_counter()
    for epoch in range(5):
        batches.epoch = epoch
        accuracy = network.fit(batches, verbose=0, shuffle=False).history["accuracy"][-1]
        held_out = np.mean((np.array([original.predict(network, image[:]) for image in images]) > 0.5) == labels)
        minutes = (time.perf_counter() - started) / 60
        value = f"{accuracy:.4f} in training, {held_out:.4f} held out, {minutes:.2f} minutes"
        keep_network(f"zhixuhao/unet, accuracy after epoch {epoch + 1}", options.original_width, "float32", value)


QUESTIONS = {
    "steps": time_steps,
    "plain": time_plain_steps,
    "loading": time_loading,
    "predictions": time_predictions,
    "schedule": follow_schedule,
}


def ask(question, backend, argv):
    """Run this script for one question in a process of its own; says so if it fails."""
    command = [sys.executable, "-m", "benchmarks.gpu", *argv, "--only", question]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    try:
        ended = subprocess.run(command, env=environment, timeout=LIMIT, stderr=subprocess.PIPE, text=True)
        if ended.returncode:
            print(f"{question}, {backend}: failed: {ended.stderr[-1500:]}", file=sys.stderr)
    except subprocess.TimeoutExpired:
        print(f"{question}, {backend}: stopped after {LIMIT} seconds.", file=sys.stderr)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--isbi2012", type=Path, metavar="DIR", help="the real sections, for the schedule of zhixuhao/unet")
    add("--data", type=Path, default=Path("data/membrane"), help="dataset whose crops are waited for")
    add("--only", choices=QUESTIONS, help="one question, in this process, by the backend in KERAS_BACKEND")
    add("--widths", type=int, nargs="+", default=[64, 32, 12], help="channels at full resolution")
    add("--batch-size", type=int, default=16, help="crops a batch")
    add("--side", type=int, default=256, help="side of a crop in pixels")
    add("--threads", type=int, nargs="+", default=[8, 16], help="that make crops")
    add("--pixels", type=int, default=2048, help="side of the image that is predicted")
    add("--seconds", type=float, default=2, help="a turn")
    add("--turns", type=int, default=4, help="how often each is timed of what waits for data")
    add("--steps", type=int, default=2000, help="an epoch of the schedule of zhixuhao/unet")
    add("--original-width", type=int, default=64, help="its width")
    options = parser.parse_args(argv)
    if options.only:
        QUESTIONS[options.only](options)
        return 0
    argv = sys.argv[1:] if argv is None else argv
    asked = [("steps", BACKENDS[0])] + [("plain", "torch")] * ("torch" in BACKENDS)
    asked += [(question, BACKENDS[0]) for question in ("schedule", "loading", "predictions")]
    asked += [("steps", backend) for backend in BACKENDS[1:]]
    for question, backend in asked:
        if question != "schedule" or options.isbi2012:
            ask(question, backend, argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
