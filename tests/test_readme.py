"""Every command of the README runs, with small numbers on a small dataset."""

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
import test_benchmarks
import test_prepare
from conftest import REPOSITORY, draw_section, save, serve_app
from test_benchmarks import grey, isbi2012, tiny_original  # noqa: F401 (a fixture)
from test_main import SMALL
from test_prepare import stacks  # noqa: F401 (a fixture)

README = (REPOSITORY / "README.md").read_text()

COMMAND = re.compile(r"^    (?:.* && )?\.venv/bin/python (?P<command>[\w/]+\.py.*?)(?: +#.*)?$", re.MULTILINE)
PLACEHOLDERS = {"IMAGES_OR_FOLDERS_OR_STACKS": "data/DIR/test", "DIR": "data/DIR"}


def commands():
    return list(dict.fromkeys(match["command"] for match in COMMAND.finditer(README)))


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
def test_command_of_the_readme(command, place, request):
    for name, stands_for in PLACEHOLDERS.items():
        command = re.sub(rf"(?<![\w/]){name}(?![\w/])", stands_for, command)
    script, *arguments = shlex.split(command)
    if "--help" in arguments:
        with pytest.raises(SystemExit) as stopped:
            importlib.import_module(script.removesuffix(".py")).main(arguments)
        assert stopped.value.code == 0
    else:
        RUN.get(script, run_script)(script, arguments, request)


def run_script(script, arguments, request):
    """Run a script as it is."""
    module = importlib.import_module(script.removesuffix(".py"))
    assert module.main(arguments) == 0


def run_main(script, arguments, request):
    """Train, but for one short epoch; a network that is there keeps its size."""
    if "--resume" not in arguments:
        arguments += [*(SMALL[:-4] if "--weights" in arguments else SMALL), "--epochs", "1"]
    run_script(script, arguments, request)


def run_predict(script, arguments, request):
    """Predict; of volumes a small one, and on a cluster in this process."""
    if "volume.zarr" in arguments:
        zarr = pytest.importorskip("zarr", reason="zarr is not installed (requirements-volumes.txt)")
        distributed = pytest.importorskip("distributed", reason="dask is not installed (requirements-volumes.txt)")
        volume = np.random.default_rng(0).integers(0, 255, (2, 40, 40)).astype(np.uint8)
        zarr.create_array("volume.zarr", data=volume, overwrite=True)
    if "--scheduler" not in arguments:
        return run_script(script, arguments, request)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        addresses = [cluster.scheduler_address if "HOST" in argument else argument for argument in arguments]
        shutil.rmtree("masks.zarr")
        run_script(script, addresses, request)


def run_prepare(script, arguments, request):
    """Prepare the small stacks of another server."""
    archive = Path.cwd() / "challenge.zip"
    test_prepare.pack(archive, request.getfixturevalue("stacks"))
    out = ["--archive", str(archive), "--out", "prepared"]
    assert test_prepare.prepare.main([*arguments, *out]) == 0


def run_app(script, arguments, request):
    """Serve the page, at another port."""
    pytest.importorskip("gradio", reason="Gradio is not installed (requirements-app.txt)")
    with serve_app(*arguments) as address, urllib.request.urlopen(address) as answer:
        assert b"gradio" in answer.read()


def run_isbi2012(script, arguments, request):
    """Compare the recipes on one fold, each trained briefly."""
    request.getfixturevalue("tiny_original")
    test_benchmarks.shrink_isbi2012(request.getfixturevalue("monkeypatch"), Path.cwd())
    assert test_benchmarks.isbi2012.main([*arguments, "--folds", "4"]) == 0


RUN = {
    "main.py": run_main,
    "predict.py": run_predict,
    "app.py": run_app,
    "data/isbi2012/prepare.py": run_prepare,
    "benchmarks/isbi2012.py": run_isbi2012,
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
    assert benchmark.tabulate(isbi2012.read_rows(benchmark.ROWS)) in README
