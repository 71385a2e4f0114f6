"""A run on disk, whole at every moment, so that it can be looked at, killed and resumed.

runs/<name>/ holds model.keras (the network with the lowest held-out loss), last.keras (network and optimiser after
the last finished epoch), history.csv (one row a finished epoch), and run.json (arguments, versions, device; once the
run has ended also seconds, scores and when that was).
"""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from segmentation.files import writing


def write_table(file, rows):
    """Write rows, dicts of the same keys, as a CSV file."""
    with writing.whole_file(file) as temporary, temporary.open("w", newline="") as opened:
        table = csv.DictWriter(opened, rows[0])
        table.writeheader()
        table.writerows(rows)


def read_history(file):
    """Rows of a history.csv as dicts of float; an empty list if there is none."""
    if not file.is_file():
        return []
    with file.open(newline="") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def open_run(run, arguments, **facts):
    """Make the folder of a run and write its arguments, and what it runs on, down.

    An earlier run of that name is moved aside, to `run`.1, .2 and so on: no run destroys another.
    """
    if not arguments["resume"] and (run / "run.json").is_file():
        number = 1
        while (aside := run.with_name(f"{run.name}.{number}")).exists():
            number += 1
        run.rename(aside)
        print(f"The earlier run in {run} is now {aside}.")
    run.mkdir(parents=True, exist_ok=True)
    _write_summary(run, arguments, **facts)


def close_run(run, arguments, **facts):
    """Write down what a run has come to, and that it has ended."""
    _write_summary(run, arguments, **facts, ended=_format_time(datetime.now(UTC)))


def _write_summary(run, arguments, **facts):
    """Write run.json: the arguments, what they ran on, and the results so far."""
    summary = {"arguments": _to_text(arguments), "seed": arguments["seed"], **facts}
    with writing.whole_file(run / "run.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")


def read_summary(run):
    """What run.json holds: a dict, empty if there is no such run."""
    try:
        summary = json.loads((run / "run.json").read_text())
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def read_arguments(run):
    """The arguments of a recorded run by name, without `resume`; an empty dict if there is no such run."""
    arguments = read_summary(run).get("arguments", {})
    return {name: value for name, value in arguments.items() if name != "resume"}


def find_latest(folder):
    """The run in a folder that ended last; None if none has."""
    ended = {}
    for file in Path(folder).glob("*/run.json"):
        summary = read_summary(file.parent)
        if "scores" in summary and (file.parent / "model.keras").is_file():
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            ended[file.parent] = summary.get("ended", _format_time(written))  # runs of version 1.0 do not say
    return max(ended, key=ended.get, default=None)


def _format_time(time):
    return time.isoformat(timespec="milliseconds")


def _to_text(arguments):
    """Arguments as run.json holds them: paths as text."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}


def find_differences(run, arguments):
    """Problems with resuming a run with other arguments than its own; data and run may have moved."""
    if not (run / "last.keras").is_file():
        return [f"{run}: no finished epoch to resume from; start the run without --resume."]
    given = _to_text(arguments)
    return [
        f"--{name.replace('_', '-')} {arguments[name]}: the run in {run} has {value}; leave it out, or start a new run."
        for name, value in read_arguments(run).items()
        if name not in ("data", "run") and given.get(name) != value
    ]


def describe_state(run):
    """What is left of a run that was stopped, in a sentence."""
    if not (run / "last.keras").is_file():
        return "No epoch had finished."
    return f"{len(read_history(run / 'history.csv'))} epochs are kept in {run}; --resume goes on from there."
