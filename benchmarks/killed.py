"""Kill main.py and predict.py at random moments: is every file that is there whole, and does a rerun finish?

    python -m benchmarks.killed

Each trial runs on a small drawn dataset, is killed (SIGKILL) at a moment drawn from the time that an undisturbed run
takes, and started again.
"""

import argparse
import csv
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from tqdm import trange

from segmentation.files import folders

REPOSITORY = Path(__file__).parent.parent
SMALL = ["--epochs", "6", "--steps-per-epoch", "4", "--batch-size", "2", "--crop", "64", "--width", "4", "--depth", "2"]


def draw_dataset(folder, sections=6, tests=40, side=96):
    """Sections of bright cells between dark lines, 96x96 pixels, as a dataset of PNG files."""
    rng = np.random.default_rng(0)
    for i in range(sections + tests):
        label = np.ones((side, side), bool)
        label[:, rng.integers(12) :: 12] = label[rng.integers(12) :: 12] = False
        image = np.clip(80 + 90 * label + rng.normal(0, 15, label.shape), 0, 255).astype(np.uint8)
        pictures = {"train/image": image, "train/label": label} if i < sections else {"test": image}
        for part, picture in pictures.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.uint8(picture) * (255 if picture.dtype == bool else 1)).save(folder / part / f"{i}.png")


def find_broken(folder):
    """What is not whole of the files below a folder, hidden ones aside: list of (file, error)."""
    broken = []
    for file in folder.rglob("[!.]*.*"):
        try:
            if file.suffix == ".keras":
                keras.saving.load_model(file, compile=False)
            elif file.suffix == ".png":
                with Image.open(file) as image:
                    image.load()
            elif file.suffix == ".json":
                json.loads(file.read_text())
            elif file.suffix == ".csv":
                with file.open(newline="") as rows:
                    assert all(None not in row.values() for row in csv.DictReader(rows))
        except Exception as error:  # whatever a damaged file raises
            broken.append((file, error))
    return broken


def start(command):
    return subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def kill_at(command, seconds):
    """Run a command and kill it after so many seconds; returns whether it had not ended by then."""
    process = start(command)
    time.sleep(seconds)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def finish(command):
    """Run a command to its end; returns its seconds, or raises RuntimeError with what it said."""
    begun = time.perf_counter()
    process = start(command)
    _, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error.decode())
    return time.perf_counter() - begun


def try_training(scratch, rng, seconds):
    """Kill a training and start it again; returns (killed in time, broken files)."""
    command = ["main.py", "--data", scratch / "data", "--run", scratch / "run", *SMALL]
    alive = kill_at(command, rng.uniform(0.3, 1) * seconds)
    broken = find_broken(scratch)
    finish([*command, "--resume"] if (scratch / "run" / "last.keras").is_file() else command)
    return alive, broken + find_broken(scratch)


def try_prediction(scratch, rng, seconds):
    """The same of a prediction."""
    model = scratch / "run" / "model.keras"
    command = ["predict.py", scratch / "data" / "test", "--out", scratch / "masks", "--model", model]
    alive = kill_at(command, rng.uniform(0.3, 1) * seconds)
    broken = find_broken(scratch)
    finish(command)
    for stem in folders.find_images(scratch / "data" / "test"):
        if not (scratch / "masks" / f"{stem}_predict.png").is_file():
            broken.append((stem, "has no mask"))
    return alive, broken + find_broken(scratch)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=20, help="how often each is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args(argv)
    rng, failed = np.random.default_rng(arguments.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        draw_dataset(scratch / "data")
        training = finish(["main.py", "--data", scratch / "data", "--run", scratch / "run", *SMALL])
        options = ["--out", scratch / "masks", "--model", scratch / "run" / "model.keras"]
        prediction = finish(["predict.py", scratch / "data" / "test", *options])
        for name, trial, seconds in (
            ("prediction", try_prediction, prediction),
            ("training", try_training, training),
        ):
            killed = broken_ones = 0
            for _ in trange(arguments.trials, desc=name):
                for left in ["masks", *(["run"] if name == "training" else [])]:
                    shutil.rmtree(scratch / left, ignore_errors=True)
                alive, broken = trial(scratch, rng, seconds)
                killed += alive
                broken_ones += bool(broken)
                for file, error in broken:
                    print(f"{file}: {error}")
            print(f"{name}: {killed} of {arguments.trials} killed in the midst, {broken_ones} with broken files")
            failed += broken_ones
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
