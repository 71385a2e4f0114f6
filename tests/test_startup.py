"""What starts Keras, and what does without."""

import subprocess
import sys

import pytest
from helpers import REPOSITORY

COMMAND = """
import runpy, sys
sys.argv = {argv}
try:
    {run}
except SystemExit as end:
    print(end.code)
print(sorted({{"keras.src", "tensorflow", "jax", "torch"}} & set(sys.modules)))
"""


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["main.py", "--help"], 0),
        (["predict.py", "--help"], 0),
        (["data.py", "--help"], 0),
        (["evaluate.py", "--help"], 0),
        (["main.py", "--data", "nowhere"], 2),
        (["main.py", "--model", "none"], 2),
        (["predict.py", "nowhere.png"], 2),
        (["predict.py", "data/membrane/test/0.png", "--model", "none.keras"], 2),
        (["data.py", "nowhere"], 2),
        (["data.py", "data/membrane"], 0),
        (["evaluate.py", "nowhere", "nowhere"], 2),
    ],
)
def test_help_refusals_and_checks_do_not_start_keras(argv, code):
    ended = run(COMMAND.format(argv=argv, run=f"runpy.run_path({argv[0]!r}, run_name='__main__')"))
    assert ended.stdout.splitlines()[-2:] == [str(code), "[]"], ended.stderr


@pytest.mark.parametrize("module", ["app", "export"])
def test_help_of_the_page_and_of_packages_does_not_start_keras(module):
    name = f"segmentation.{module}"
    ended = run(COMMAND.format(argv=[name, "--help"], run=f"runpy.run_module({name!r}, run_name='__main__')"))
    assert ended.stdout.splitlines()[-2:] == ["0", "[]"], ended.stderr


def test_tensorflow_starts_silently_and_what_others_say_is_passed_on(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    code = (
        "import os, sys\n"
        "from segmentation import devices\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'tensorflow':\n"
        "            os.write(2, b'W0000 00:00:1 2 a.cc:3] noise\\nsomething else\\n')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "devices.start()\n"
        "print(devices.name_device())\n"
    )
    ended = run(code, check=True)
    assert ended.stderr.strip() == "something else"
    assert "tensorflow" in ended.stdout


def test_keras_starts_without_what_takes_long_and_is_not_used():
    code = (
        "import sys\n"
        "from segmentation import devices\n"
        "devices.start()\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'matplotlib', 'sklearn'}))\n"
        "import matplotlib.pyplot\n"
        "from segmentation import figures\n"
    )
    assert run(code, check=True).stdout.strip() == "[]"


def test_the_users_own_settings_of_tensorflow_stay(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    code = "import os; from segmentation import devices; devices.start(); print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    assert run(code, check=True).stdout.strip() == "0"
