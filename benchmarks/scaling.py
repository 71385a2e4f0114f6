"""Measure training on several processes: steps a second, and the share of a step that is communication.

    python -m benchmarks.scaling

One process, two that train each for itself, and two that train together; JAX on the CPU, each kept to one core of this
machine, the network of main.py's defaults. The batch of a process stays the same, so that two of them do twice the work
a step. What two together take more than two side by side is communication. From that follows what more hosts would
cost, if their network were as fast: an all-reduce in a ring passes 2 (n - 1) / n times the gradient through each host.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
HOSTS = (8, 64)


def work(arguments):
    """One process of a measurement: prints its steps a second and the bytes of the gradient as JSON."""
    os.sched_setaffinity(0, {arguments.core % os.cpu_count()})
    import keras
    import numpy as np

    from model import unet
    from segmentation import devices

    group = devices.join()
    keras.utils.set_random_seed(0)
    network = unet(width=arguments.width, depth=arguments.depth)
    network.compile("adam", "binary_crossentropy")
    rng = np.random.default_rng(group.rank)
    shape = (arguments.batch_size, arguments.crop, arguments.crop, 1)
    images, labels = rng.random(shape, "float32"), (rng.random(shape) > 0.5).astype("float32")
    seconds = []
    for _ in range(arguments.steps + 2):
        begun = time.perf_counter()
        network.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": float(np.median(seconds[2:])), "bytes": 4 * network.count_params()}))
    with devices.together(group):
        pass


def measure(processes, arguments, together):
    """Median seconds of a step of so many processes, and the bytes of the gradient."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--{name}={getattr(arguments, name.replace('-', '_'))}" for name in OPTIONS]
    started = []
    for process in range(processes):
        environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
        if together:
            environment |= {
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
                "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
                "KERAS_DISTRIBUTION_PROCESS_ID": str(process),
            }
        command = [sys.executable, "-m", "benchmarks.scaling", "--work", f"--core={process}", *options]
        started.append(subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True))
    answers = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    return max(answer["seconds"] for answer in answers), answers[0]["bytes"]


OPTIONS = {"width": 12, "depth": 4, "batch-size": 2, "crop": 256, "steps": 10}


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.work:
        work(arguments)
        return 0
    alone, size = measure(1, arguments, together=False)
    apart, _ = measure(2, arguments, together=False)
    together, _ = measure(2, arguments, together=True)
    added = max(0.0, together - apart)
    print(f"1 process: {1 / alone:.3f} steps a second")
    print(f"2 side by side: {1 / apart:.3f} steps a second each; together: {1 / together:.3f}")
    print(f"gradient: {size / 1e6:.2f} MB; communication: {added:.3f} s a step, {added / together:.1%} of it")
    for count in HOSTS:
        # Two processes pass the gradient through each host once; n pass it 2 (n - 1) / n times.
        passed = added * 2 * (count - 1) / count
        speed = count * alone / (alone + passed)
        print(
            f"{count} hosts, by estimate: {speed:.1f} times the images a second of one, "
            f"{passed / (alone + passed):.1%} communication"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
