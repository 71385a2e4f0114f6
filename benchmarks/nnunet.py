"""nnU-Net v2 (2D) as a user would pick it, but for so many minutes, to be measured beside main.py by peers.py.

    python -m benchmarks.nnunet DIR OUT --minutes 5

DIR is a dataset of this repository, of two classes, black and white; OUT gets <stem>.npy of each test image: the
probability of white. Plan, network, loss, augmentation, optimiser and prediction are nnU-Net's own. Its rate falls with
the time that has gone, as it does with the epochs otherwise; there is no validation, and all labelled sections are
trained on. Nothing but the steps is timed.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

NUMBER, NAME = 1, "Dataset001_sections"
ROOMS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")  # the variables that name its folders
LABELS = {"background": 0, "black": 1}


def write_raw(folder, raw):
    """Bring train/ of a dataset into nnU-Net's layout."""
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    files = sorted((folder / "train" / "image").glob("*.png"))
    for file in files:
        shutil.copy(file, raw / "imagesTr" / f"{file.stem}_0000.png")
        label = np.asarray(Image.open(folder / "train" / "label" / file.name))
        Image.fromarray(np.uint8(label == 0)).save(raw / "labelsTr" / file.name)
    facts = {"channel_names": {"0": "grey"}, "labels": LABELS, "numTraining": len(files), "file_ending": ".png"}
    from batchgenerators.utilities.file_and_folder_operations import save_json

    save_json(facts, str(raw / "dataset.json"))


def plan():
    """Let nnU-Net plan and preprocess; returns its plans and the facts of the dataset."""
    from batchgenerators.utilities.file_and_folder_operations import load_json
    from nnunetv2.experiment_planning import plan_and_preprocess_api as planning

    planning.extract_fingerprints([NUMBER], num_processes=1, check_dataset_integrity=True)
    plans = planning.plan_experiments([NUMBER])
    planning.preprocess([NUMBER], plans, configurations=("2d",), num_processes=(1,))
    room = Path(os.environ[ROOMS[1]]) / NAME
    return load_json(str(room / f"{plans}.json")), load_json(str(room / "dataset.json"))


def train(plans, facts, minutes):
    """Train; returns the trainer, the steps and the seconds that these took."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    trainer = nnUNetTrainer({**plans, "continue_training": False}, "2d", "all", facts, device=torch.device("cpu"))
    trainer.on_train_start()
    trainer.network.train()
    next(trainer.dataloader_train)  # its processes have started then
    started, steps = time.perf_counter(), 0
    while (gone := (time.perf_counter() - started) / (60 * minutes)) < 1:
        trainer.lr_scheduler.step(gone * trainer.num_epochs)
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    seconds = time.perf_counter() - started
    for loader in (trainer.dataloader_train, trainer.dataloader_val):
        loader._finish()
    return trainer, steps, seconds


def predict(trainer, file):
    """The probability of white, float32 array (height, width), with nnU-Net's mirroring."""
    from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(perform_everything_on_device=False, device=trainer.device, allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        type(trainer).__name__,
        trainer.inference_allowed_mirroring_axes,
    )
    image, properties = NaturalImage2DIO().read_images([str(file)])
    _, probability = predictor.predict_single_npy_array(image, properties, save_or_return_probabilities=True)
    return probability[0, 0]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR", help="dataset: train/image, train/label, test")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the probabilities")
    parser.add_argument("--minutes", type=float, default=5, help="of training; 5 if not given")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.update({room: str(Path(scratch) / room) for room in ROOMS})  # before it is imported
        os.environ |= {"nnUNet_n_proc_DA": "2", "nnUNet_def_n_proc": "1"}
        write_raw(options.data, Path(scratch) / ROOMS[0] / NAME)
        trainer, steps, seconds = train(*plan(), options.minutes)
        trainer.set_deep_supervision_enabled(False)
        options.out.mkdir(parents=True, exist_ok=True)
        for file in sorted((options.data / "test").glob("*.png")):
            np.save(options.out / f"{file.stem}.npy", predict(trainer, file))
    print(f"{steps} steps, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
