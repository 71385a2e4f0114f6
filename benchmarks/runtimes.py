"""Measure ONNX Runtime and OpenVINO beside Keras: seconds an image, scores of what was held out, and differences.

    python -m benchmarks.runtimes pretrained runs/isbi2012/fold1

Each RUN is the folder of a run, whose data have to be where they were. Images are predicted as by predict.py without
flips, by each runtime in turns, since a machine's speed drifts.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import openvino

import data
from segmentation import export
from segmentation.files import dataset
from segmentation.prediction import masks, networks, runtimes
from segmentation.scores import tables
from segmentation.training import runs

SHOWN = ("accuracy", "iou", "v_rand")


def load_onnx(file):
    """A network whose `predict_on_batch` is ONNX Runtime's."""
    network, _ = networks.load_network(file)
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(export.save_weights(network, Path(folder))[0])
    name = session.get_inputs()[0].name
    network.predict_on_batch = lambda batch: session.run(None, {name: batch})[0]
    return network


def load_all(run):
    """The network of a run by each runtime that this processor has: dict of keras.Model."""
    file = run / "model.keras"
    loaded = {"Keras": networks.load_network(file)[0], "ONNX Runtime": load_onnx(file)}
    training = dataset.find_places(runs.read_arguments(run)["data"], "train")[0]
    for precision in runtimes.PRECISIONS:
        if precision != "bfloat16" or "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            runtimes.prepare(file, precision, training)
            loaded[f"OpenVINO, {precision}"] = runtimes.load(file, precision)[0]
    return loaded


def compare(run, turns):
    """A row for each runtime: its scores, how far its probabilities are from Keras's, and seconds an image."""
    _, settings = networks.load_network(run / "model.keras")
    held_out, loaded = data.read_held_out(run), load_all(run)
    sections = [image[:] for image in held_out.images]
    maps, seconds = {}, {name: [] for name in loaded}
    for _ in range(turns + 1):
        for name, network in loaded.items():
            started = time.perf_counter()
            maps[name] = [masks.predict(network, image, "none") for image in sections]
            seconds[name].append((time.perf_counter() - started) / len(sections))
    rows, median = {}, {name: statistics.median(times[1:]) for name, times in seconds.items()}  # the first compiles
    for name, found in maps.items():
        each = [
            tables.score_mask(label, masks.to_mask(probability, settings), held_out.classes)
            for label, probability in zip(held_out.labels, found, strict=True)
        ]
        scores = tables.mean_scores(each)
        scores["iou"] = next(value for title, value in scores.items() if title.endswith("_iou"))
        away = [np.abs(one - other) for one, other in zip(found, maps["Keras"], strict=True)]
        rows[name] = {title: scores[title] for title in SHOWN if title in scores}
        rows[name] |= {"farthest": max(one.max() for one in away), "mean": np.mean([one.mean() for one in away])}
        rows[name] |= {"seconds": median[name], "times": median["Keras"] / median[name]}
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "runs", type=Path, nargs="*", metavar="RUN", default=[Path("pretrained")], help="folders of runs"
    )
    parser.add_argument("--turns", type=int, default=3, help="how often each is timed")
    options = parser.parse_args(argv)
    for run in options.runs:
        print(run, tables.format_table(compare(run, options.turns)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
