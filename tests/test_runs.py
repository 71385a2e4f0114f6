import json
import os

import pytest

from segmentation.training import runs


@pytest.fixture
def record(tmp_path):
    """Make a run of a name, as it is when it has ended, or before."""

    def make(name, **summary):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.keras").touch()
        (folder / "run.json").write_text(json.dumps(summary))
        return folder

    return make


def test_the_latest_run_is_the_one_that_ended_last(tmp_path, record):
    assert runs.find_latest(tmp_path / "none") is None
    record("unfinished", arguments={})
    assert runs.find_latest(tmp_path) is None
    record("b", scores={}, ended="2026-11-26T10:00:00.000+00:00")
    record("a", scores={}, ended="2026-11-26T12:00:00.000+00:00")
    record("c", scores={}, ended="2026-11-26T11:00:00.000+00:00")
    assert runs.find_latest(tmp_path).name == "a"


def test_runs_of_version_1_0_say_by_their_file_when_they_ended(tmp_path, record):
    record("new", scores={}, ended="2020-01-01T00:00:00.000+00:00")
    old = record("old", scores={})
    os.utime(old / "run.json", (1.5e9, 1.5e9))  # 2017
    assert runs.find_latest(tmp_path).name == "new"
    os.utime(old / "run.json", (1.7e9, 1.7e9))  # 2023
    assert runs.find_latest(tmp_path).name == "old"


def test_a_damaged_record_is_none(tmp_path, record):
    for name, text in (("broken", "{"), ("list", "[1]")):
        (record(name) / "run.json").write_text(text)
        assert runs.read_summary(tmp_path / name) == {}
    assert runs.find_latest(tmp_path) is None
