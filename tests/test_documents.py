"""Every command of README.md and docs/ runs, with small numbers on a small dataset."""

import importlib
import json
import os
import re
import shlex
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    REPOSITORY,
    SMALL,
    draw_section,
    load_script,
    pack_stacks,
    prepare,
    save,
    serve_app,
    shrink_isbi2012,
)

from benchmarks import grey, isbi2012
from segmentation import export

README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = [README, *(file.read_text() for file in sorted((REPOSITORY / "docs").glob("*.md")))]
COMMAND = re.compile(r"^    (?:.* && )?\.venv/bin/python (?P<command>(-m )?[\w./]+.*?)(?: +#.*)?$", re.MULTILINE)
PLACEHOLDERS = {"SOURCE --to DIR": "SOURCE --to brought", "IMAGES": "data/DIR/test", "DIR": "data/DIR"}


def find_commands():
    found = [match["command"] for text in DOCUMENTS for match in COMMAND.finditer(text)]
    return [command for command in dict.fromkeys(found) if command != "-m pytest"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the datasets of the documents, drawn, and a network for them."""
    folder = tmp_path_factory.mktemp("documents")
    rng = np.random.default_rng(0)
    for name in ("membrane", "isbi2012", "DIR"):
        for part, count in (("train", 10), ("test", 2)):
            for i in range(count):
                image, label = draw_section(rng)
                save(image, folder / "data" / name / ("train/image" if part == "train" else "test") / f"{i}.png")
                save(label, folder / "data" / name / part / "label" / f"{i}.png")
    for name, place in (("images", "image"), ("masks", "label")):
        shutil.copytree(folder / "data" / "DIR" / "train" / place, folder / "SOURCE" / name)
    shutil.copytree(REPOSITORY / "pretrained", folder / "pretrained")
    (folder / "img").mkdir()
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def test_the_documents_have_commands():
    found = find_commands()
    assert "main.py" in found
    assert len(found) > 10


@pytest.mark.parametrize("command", find_commands())
def test_command_of_the_documents(command, folder, request):
    for name, stands_for in PLACEHOLDERS.items():
        command = re.sub(rf"(?<![\w/]){name}(?![\w/])", stands_for, command)
    words = shlex.split(command)
    name, arguments = (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])
    if "--help" in arguments:
        with pytest.raises(SystemExit) as stopped:
            load(name).main(arguments)
        assert stopped.value.code == 0
    else:
        RUN.get(name, run_as_it_is)(name, arguments, request)


def load(name):
    """The module of a script at the top, of one in a folder, or of what stands behind -m."""
    return load_script(name) if "/" in name else importlib.import_module(name.removesuffix(".py"))


def run_as_it_is(name, arguments, request):
    assert load(name).main(arguments) == 0


def run_main(name, arguments, request):
    """Train, but for one short epoch; a network that is there keeps its size."""
    if "--resume" not in arguments:
        arguments += [*(SMALL[:-4] if "--weights" in arguments else SMALL), "--epochs", "1"]
    run_as_it_is(name, arguments, request)


def run_predict(name, arguments, request):
    """Predict; of volumes a small one, and on a cluster in this process."""
    if "volume.zarr" in arguments:
        zarr = pytest.importorskip("zarr", reason="zarr is not installed")
        distributed = pytest.importorskip("distributed", reason="dask is not installed")
        volume = np.random.default_rng(0).integers(0, 255, (2, 40, 40)).astype(np.uint8)
        zarr.create_array("volume.zarr", data=volume, overwrite=True)
    if "--scheduler" not in arguments:
        return run_as_it_is(name, arguments, request)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        addresses = [cluster.scheduler_address if "HOST" in argument else argument for argument in arguments]
        shutil.rmtree("masks.zarr")
        run_as_it_is(name, addresses, request)


def run_draw(name, arguments, request):
    """Draw the pictures, here and not in the repository."""
    run_as_it_is(name, arguments, request)
    assert {file.name for file in Path("img").iterdir()} >= {"section.png", "curves.png", "network.png"}


def run_prepare(name, arguments, request):
    """Prepare the small stacks of another server."""
    archive = Path.cwd() / "challenge.zip"
    pack_stacks(archive, request.getfixturevalue("stacks"))
    assert prepare.main([*arguments, "--archive", str(archive), "--out", "prepared"]) == 0


def run_app(name, arguments, request):
    """Serve the page, at another port."""
    pytest.importorskip("gradio", reason="Gradio is not installed")
    with serve_app(*arguments) as address, urllib.request.urlopen(address) as answer:
        assert b"gradio" in answer.read()


def run_export(name, arguments, request):
    """Write a package, but leave out the test of bioimageio.core, which test_export.py has."""
    request.getfixturevalue("monkeypatch").setattr(export, "_check", lambda package: None)
    run_as_it_is(name, arguments, request)


def run_isbi2012(name, arguments, request):
    """Measure the recipe of main.py on one fold, trained briefly."""
    shrink_isbi2012(request.getfixturevalue("monkeypatch"), Path.cwd())
    assert isbi2012.main([*arguments, "--folds", "4", "--recipes", "main.py"]) == 0


RUN = {
    "main.py": run_main,
    "predict.py": run_predict,
    "img.draw": run_draw,
    "segmentation.app": run_app,
    "segmentation.export": run_export,
    "data/isbi2012/prepare.py": run_prepare,
    "benchmarks.isbi2012": run_isbi2012,
}


def test_the_scores_of_the_readme_are_those_of_the_network_beside_it():
    scores = json.loads((REPOSITORY / "pretrained" / "run.json").read_text())["scores"]
    names = {"held out": "6 held-out sections", "test": "30 test sections"}
    for part, name in names.items():
        columns = ("accuracy", "constant", "membrane_iou", "membrane_dice", "v_rand", "v_info")
        row = " | ".join(f"{scores[part][column]:.3f}" for column in columns)
        assert f"| {name} | {row} |" in README


@pytest.mark.parametrize("benchmark", [isbi2012, grey])
def test_the_tables_of_benchmarks_are_those_of_their_rows(benchmark):
    table = benchmark.tabulate(isbi2012.read_rows(benchmark.ROWS))
    assert any(table in text for text in DOCUMENTS)
