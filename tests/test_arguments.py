import argparse
from pathlib import Path

import pytest

from segmentation import arguments, extras


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (arguments.positive, ("1", 1), ("0", "-3")),
        (arguments.natural, ("0", 0), ("-1",)),
        (arguments.fraction, ("0.2", 0.2), ("0", "1", "nan")),
        (arguments.rate, ("3e-3", 0.003), ("0", "inf", "nan")),
    ],
)
def test_kinds_of_numbers(kind, good, bad):
    text, value = good
    assert kind(text) == value
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f"found {text}"):
            kind(text)


def test_a_network_that_is_named_is_the_one(tmp_path):
    file, line = arguments.find_network(tmp_path / "mine.keras")
    assert file == tmp_path / "mine.keras"
    assert line == f"Network: {file}, trained on unknown data (there is no run.json beside it)."


def test_without_runs_it_is_the_bundled_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, line = arguments.find_network(None)
    assert file == arguments.PRETRAINED
    assert line.endswith("trained on data/membrane.")


def test_a_missing_package_is_named_with_its_extra():
    with (
        pytest.raises(ValueError, match=r'^nowhere is not installed: pip install -e "\.\[app\]"$'),
        extras.needs("app"),
    ):
        import nowhere  # noqa: F401


def test_the_default_network_does_not_depend_on_where_the_parser_is_built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    arguments.add_network(parser)
    assert parser.parse_args([]).model is None
    assert parser.parse_args(["--model", "a.keras"]).model == Path("a.keras")
