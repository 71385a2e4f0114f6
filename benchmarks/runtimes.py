"""Measure ONNX Runtime beside Keras: seconds for 30 images of 512x512 pixels, one prediction each.

    python -m benchmarks.runtimes

The network is that of main.py's defaults, untrained. The two take turns, since a machine's speed drifts.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from model import unet
from segmentation import export


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--width", type=int, default=12, help="channels at full resolution")
    parser.add_argument("--side", type=int, default=512, help="side of an image")
    parser.add_argument("--images", type=int, default=30, help="images a turn")
    parser.add_argument("--turns", type=int, default=3, help="how often each is timed")
    arguments = parser.parse_args(argv)
    network = unet(width=arguments.width)
    images = np.random.default_rng(0).random((arguments.images, arguments.side, arguments.side, 1), "float32")
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(export.save_weights(network, Path(folder))[0])
    name = session.get_inputs()[0].name
    runtimes = {
        "Keras": network.predict_on_batch,
        "ONNX Runtime": lambda image: session.run(None, {name: image})[0],
    }
    difference = np.abs(runtimes["Keras"](images[:1]) - runtimes["ONNX Runtime"](images[:1])).max()
    print(f"largest difference: {difference:.1e}")
    seconds = {runtime: [] for runtime in runtimes}
    for _ in range(arguments.turns):
        for runtime, predict in runtimes.items():
            begun = time.perf_counter()
            for image in images:
                predict(image[np.newaxis])
            seconds[runtime].append(time.perf_counter() - begun)
    keras_seconds, onnx_seconds = (np.median(values) for values in seconds.values())
    print(f"Keras: {keras_seconds:.2f} s")
    print(f"ONNX Runtime: {onnx_seconds:.2f} s, {keras_seconds / onnx_seconds:.2f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
