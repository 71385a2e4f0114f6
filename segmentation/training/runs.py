"""A run on disk, whole at every moment, so that it can be looked at, killed and resumed.

runs/<name>/ holds model.keras (the network with the lowest held-out loss), last.keras (network and optimiser after
the last finished epoch), history.csv (one row a finished epoch), and run.json (arguments, versions, device; once the
run has ended also seconds, scores and when that was), and then scores.csv (one row a held-out section). A run of
several networks holds one such folder for each, fold1/ and on, and the average of them as its model.keras.
"""

import contextlib
import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from segmentation.files import writing

RUNS = Path("runs")
ELSEWHERE = ".latest"  # a file in there, with the path of the run that ended last of those that are elsewhere
LOCKS = {}  # file descriptors of the folders of runs that this process trains


def read_history(file):
    """Rows of a history.csv as dicts of float; an empty list if there is none."""
    if not file.is_file():
        return []
    with file.open(newline="") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def open_run(run, arguments, **facts):
    """Make the folder of a run and write its arguments, and what it runs on, down.

    An earlier run of that name is moved aside, to `run`.1, .2 and so on: no run destroys another. While it is still
    being trained it stays, and the new one takes the next number.

    Returns
    -------
    Path
        The folder, which is this process's own until it ends.

    Raises
    ------
    ValueError
        If a run that is to be resumed is being trained.
    """
    while True:
        run.mkdir(parents=True, exist_ok=True)
        lock = _lock(run)
        if lock and (arguments["resume"] or not (run / "run.json").is_file()):
            LOCKS[run] = lock
            break
        if lock:
            aside = _find_free(run)
            run.rename(aside)
            os.close(lock)
            print(f"The earlier run in {run} is now {aside}.")
            continue
        if arguments["resume"]:
            raise ValueError(f"{run}: is being trained by another process; wait for it, or start a new run.")
        taken, run = run, _find_free(run)
        print(f"The run in {taken} is still being trained; this one is {run}.")
    _write_summary(run, arguments, **facts)
    return run


def _find_free(run):
    """The first of `run`.1, .2 and so on that there is not."""
    number = 1
    while (free := run.with_name(f"{run.name}.{number}")).exists():
        number += 1
    return free


def _lock(run):
    """Take a run's folder for this process: a file descriptor, or None if another process has it.

    It is given back when the process ends, however it does.
    """
    if run in LOCKS:
        os.close(LOCKS.pop(run))  # an earlier run of this process, such as a notebook's
    try:
        import fcntl
    except ImportError:  # on Windows, where folders cannot be locked
        return os.open(os.devnull, os.O_RDONLY)
    lock = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def is_own(run):
    """Whether this process has opened a run, and not closed it."""
    return run in LOCKS


def close_run(run, arguments, **facts):
    """Write down what a run has come to, and that it has ended: `find_latest` finds it from now on."""
    facts = {"trained_on": read_summary(run).get("trained_on", {}), **facts}
    _write_summary(run, arguments, **facts, ended=_format_time(datetime.now(UTC)))
    if run in LOCKS:
        os.close(LOCKS.pop(run))
    if run.resolve().parent == RUNS.resolve() or arguments.get("fold"):
        return
    with contextlib.suppress(OSError):  # where nothing can be written, a run elsewhere has to be named
        RUNS.mkdir(exist_ok=True)
        (RUNS / ELSEWHERE).write_text(str(run.resolve()))


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
    """The arguments of a recorded run by name, but for those of one command; an empty dict if there is no such run."""
    arguments = read_summary(run).get("arguments", {})
    if arguments.get("turns") in (True, False):  # version 1.0 knew these two, and scaled by dtype alone
        arguments |= {"turns": "all" if arguments["turns"] else "none", "scaling": "dtype"}
        arguments |= {"loss": "cross-entropy", "centred": 0.0}
    return {name: value for name, value in arguments.items() if name not in ("resume", "scheduler")}


def find_fold(run, number):
    """The folder of one of several networks, numbered from 1."""
    return run / f"fold{number}"


def list_trainings(run):
    """The folders of a run's networks: those of its folds or, if it has none, its own."""
    count = read_arguments(run).get("folds") if not read_arguments(run).get("fold") else None
    return [find_fold(run, number) for number in range(1, count + 1)] if count else [run]


def is_begun(run):
    """Whether an epoch of a run, or of one of its folds, has been finished."""
    return (run / "last.keras").is_file() or any(run.glob("fold*/last.keras"))


def has_ended(run):
    """Whether a run has come to its scores."""
    return "ended" in read_summary(run) and (run / "model.keras").is_file()


def find_latest(folder):
    """The run that ended last, among those in a folder and the one that is noted there; None if none has."""
    note = Path(folder) / ELSEWHERE
    noted = [Path(note.read_text())] if note.is_file() else []
    ended = {}
    for run in (*(file.parent for file in Path(folder).glob("*/run.json")), *noted):
        summary = read_summary(run)
        if "scores" in summary and (run / "model.keras").is_file():
            written = datetime.fromtimestamp((run / "run.json").stat().st_mtime, UTC)
            ended[run] = summary.get("ended", _format_time(written))  # runs of version 1.0 do not say
    return max(ended, key=ended.get, default=None)


def _format_time(time):
    return time.isoformat(timespec="milliseconds")


def _to_text(arguments):
    """Arguments as run.json holds them: paths as text."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}


def find_differences(run, arguments, trained_on):
    """Problems with resuming a run with other arguments than its own, or other data than its own.

    Parameters
    ----------
    run : Path
    arguments : dict
        Of these data, run and out may be others.
    trained_on : dict of str
        What is known of the data, such as their classes, as `open_run` was given it.

    Returns
    -------
    list of str
    """
    if not is_begun(run):
        return [f"{run}: no finished epoch to resume from; start the run without --resume."]
    given = _to_text(arguments)
    return [
        f"--{name.replace('_', '-')} {arguments[name]}: the run in {run} has {value}; leave it out, or start a new run."
        for name, value in read_arguments(run).items()
        if name not in ("data", "run", "out") and given.get(name) != value
    ] + [
        f"{arguments['data']}: its {name} are not those that the run in {run} was begun with, {value}; start a new run."
        for name, value in read_summary(run).get("trained_on", {}).items()
        if trained_on.get(name) != value
    ]


def describe_state(run):
    """What is left of a run that was stopped, in a sentence."""
    if not is_begun(run):
        return "No epoch had finished."
    if (trained := list_trainings(run)) != [run]:
        ended = sum(map(has_ended, trained))
        return f"{ended} of {len(trained)} networks are finished in {run}; --resume goes on from there."
    return f"{len(read_history(run / 'history.csv'))} epochs are kept in {run}; --resume goes on from there."
