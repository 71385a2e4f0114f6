"""Every command of the README runs, with small numbers on a small dataset."""

import importlib
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, draw_section, load_script, save
from test_main import SMALL

COMMAND = re.compile(r"^    (?:.* && )?\.venv/bin/python (?P<command>[\w/]+\.py.*?)(?: +#.*)?$", re.MULTILINE)
PLACEHOLDERS = {"IMAGES_OR_FOLDERS_OR_STACKS": "data/DIR/test", "DIR": "data/DIR"}
# What would download, serve or compute for hours is only asked for its options; its own tests run it.
ONLY_HELP = ("data/isbi2012/prepare.py", "app.py")


def commands():
    text = (REPOSITORY / "README.md").read_text()
    return list(dict.fromkeys(match["command"] for match in COMMAND.finditer(text)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the README's datasets, drawn, and a network for them."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    for name in ("membrane", "isbi2012", "DIR"):
        for part, count in (("train", 10), ("test", 2)):
            for i in range(count):
                image, label = draw_section(rng)
                save(image, folder / "data" / name / ("train/image" if part == "train" else "test") / f"{i}.png")
                save(label, folder / "data" / name / part / "label" / f"{i}.png")
    shutil.copytree(REPOSITORY / "pretrained", folder / "pretrained")
    (folder / "img").mkdir()
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def test_the_readme_has_commands():
    found = commands()
    assert "main.py" in found
    assert len(found) > 10


@pytest.mark.parametrize("command", commands())
def test_command_of_the_readme(command, place, monkeypatch):
    for name, stands_for in PLACEHOLDERS.items():
        command = re.sub(rf"(?<![\w/]){name}(?![\w/])", stands_for, command)
    script, *arguments = shlex.split(command)
    folder, name = os.path.split(script.removesuffix(".py"))
    if script in ONLY_HELP or folder == "benchmarks":
        arguments = ["--help"]
    elif script == "main.py" and "--help" not in arguments:
        arguments += [*SMALL, "--epochs", "1"] if "--resume" not in arguments else []
    elif script == "predict.py":
        arguments = use_volume(arguments)
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    module = load_script(script) if folder else importlib.import_module(name)
    if "--help" in arguments:
        with pytest.raises(SystemExit) as stopped:
            module.main(arguments)
        assert stopped.value.code == 0
    else:
        assert module.main(arguments) == 0


def use_volume(arguments):
    """Make the volume that a command predicts, and leave out the cluster, of which another test knows."""
    if "volume.zarr" in arguments:
        zarr = pytest.importorskip("zarr", reason="zarr is not installed (requirements-volumes.txt)")
        volume = np.random.default_rng(0).integers(0, 255, (2, 40, 40)).astype(np.uint8)
        zarr.create_array("volume.zarr", data=volume, overwrite=True)
    if "--scheduler" in arguments:
        at = arguments.index("--scheduler")
        arguments = arguments[:at] + arguments[at + 2 :]
    return arguments
