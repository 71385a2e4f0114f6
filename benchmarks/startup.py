"""Time what a user waits for first: help, a refusal, a check and one mask, each in a process of its own.

    python -m benchmarks.startup

`python -X importtime main.py --help` tells where the time goes.
"""

import argparse
import subprocess
import sys
import tempfile
import time

import numpy as np

COMMANDS = {
    "help": ["main.py", "--help"],
    "a wrong folder, data.py": ["data.py", "nowhere"],
    "a wrong folder, main.py": ["main.py", "--data", "nowhere"],
    "a wrong folder, evaluate.py": ["evaluate.py", "nowhere", "nowhere"],
    "check of data/membrane": ["data.py", "data/membrane"],
    "mask of one image": ["predict.py", "data/membrane/test/0.png", "--model", "pretrained/model.keras"],
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--times", type=int, default=5, help="how often each is run; 5 if not given")
    options = parser.parse_args(argv)
    seconds = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.times):  # in turns, since a machine's speed drifts
            for name, command in COMMANDS.items():
                out = ["--out", folder] if command[0] == "predict.py" else []
                started = time.perf_counter()
                subprocess.run([sys.executable, *command, *out], capture_output=True, check=False)
                seconds[name].append(time.perf_counter() - started)
    for name, values in seconds.items():
        print(f"{name}: {np.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
