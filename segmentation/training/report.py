"""report.html: what a run has come to, on one page that needs nothing else.

It is written from what the run keeps on disk, of whatever there is: run.json, history.csv and held_out.json, which
holds what is shown of each held-out section. The page itself is report.html beside this file, a template of Jinja2.
"""

import base64
import io
import json
import math
import os
import shlex
import subprocess
from pathlib import Path

import lazy_loader
import numpy as np
from PIL import Image
from scipy import ndimage

from segmentation.files import classes, writing
from segmentation.scores import calibration, doubts, objects
from segmentation.training import runs

jinja2 = lazy_loader.load("jinja2")

REPORT, HELD_OUT = "report.html", "held_out.json"
TEMPLATE = Path(__file__).with_name(REPORT)
SIDE = 512  # pixels of an overlay, at most
LARGEST = 4_000_000  # bytes of all overlays
LISTED = 20  # doubtful places
MOST_PAIRS = 10**7  # of an object of a label and one of a mask, that are compared
WRITTEN = ("grey", "class_weights", "mixed_precision")  # options that have a --no- of their own
UNASKED = ("run", "out", "fold", "resume", "scheduler", "minutes")  # that a repetition does without
# What a score says, by the end of its name; {0} is the class.
MEANINGS = {
    "accuracy": "of the labelled pixels have the right class.",
    "constant": "of them would have it if every pixel got one and the same answer: what a network has to beat.",
    "mean_iou": "is the mean of the IoU of the classes.",
    "_iou": "of the pixels that are {0} in the label or in the mask are so in both.",
    "_dice": "by twice the pixels that are {0} in both, of the sum of its pixels in either.",
    "v_rand": "by pairs of pixels: lower where objects are split or merged, 100 % where none is.",
    "v_info": "by the information that objects of label and mask share: like v_rand.",
}


class Sections:
    """What the report shows of held-out sections, taken in one after another.

    Parameters
    ----------
    known : classes.Classes
    temperature : float or tuple of float
        Of the network, as from `calibration.fit_temperature`.
    """

    def __init__(self, known, temperature):
        self.known, self.temperature = known, temperature
        self.rows, self.doubts = [], []
        self.reliability = {"before": [], "after": []}

    def add(self, stem, image, label, probability, mask, scores):
        """Take in a section: arrays as for `figures.overlay`, its probabilities, and its scores by `score_mask`."""
        if not scores:  # nothing of it is labelled
            return
        row = {"stem": stem, "scores": scores, "overlay": _draw(image, label, mask, self.known)}
        if self.known.parted and len(self.known.values) == 2:
            row["objects"] = _match(label, mask, self.known)
        self.rows.append(row)
        self._forget_good_ones()
        pixels = int(np.count_nonzero(classes.known(label)))
        for name, temperature in (("before", 1.0), ("after", self.temperature)):
            calibrated = calibration.calibrate(probability, temperature)
            self.reliability[name].append((calibration.measure_reliability([label], [calibrated]), pixels))
        found = doubts.find_places(stem, label, probability, self.known.names)
        self.doubts += [doubts.to_row(0, one) for one in doubts.rank(found, {}, {})[:LISTED]]

    def _forget_good_ones(self):
        """Keep no more overlays than a report shows: those of the worst sections."""
        drawn = [row for row in self.rows if "overlay" in row]
        while len(drawn) > 1 and sum(len(row["overlay"]) for row in drawn) > LARGEST:
            best = max(drawn, key=lambda row: find_score(row["scores"])[1])
            drawn.remove(best)
            del best["overlay"]

    def write(self, run):
        """Keep it in the folder of the run."""
        pooled = {name: calibration.pool(parts) for name, parts in self.reliability.items()}
        kept = {"sections": self.rows, "reliability": pooled, "doubts": self.doubts}
        kept["pixels"] = sum(pixels for _, pixels in self.reliability["before"])
        with writing.whole_file(run / HELD_OUT) as temporary:
            temporary.write_text(json.dumps(kept), encoding="utf-8")


def _match(label, mask, known):
    """What is found of the objects of a section: a dict, None where they are too many to be matched in passing."""
    (kind,) = classes.find_kinds(known.names)
    numbers = [ndimage.label(part)[0] for part in (label == kind, (mask == kind) & classes.known(label))]
    if math.prod(int(part.max()) for part in numbers) > MOST_PAIRS:
        return None
    return {"kind": known.names[kind], **objects.count_matches(*numbers)}


def _draw(image, label, mask, known):
    """The overlay of a section as a JPEG in base64."""
    from segmentation import figures  # here, since matplotlib takes half a second to start

    picture = figures.overlay(np.asarray(image), label, mask, figures.find_shown(known))
    drawn = Image.fromarray(np.uint8(np.rint(255 * picture)))
    drawn.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    drawn.save(written, "JPEG", quality=80)
    return _encode(written)


def _encode(written):
    return base64.b64encode(written.getvalue()).decode()


def _encode_figure(figure):
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100)
    return _encode(written)


def write(run):
    """Write the report of a run, of whatever is there of it; returns its path, None if no epoch has finished."""
    from segmentation import figures

    summary, trained = runs.read_summary(run), runs.list_trainings(run)
    histories = {folder.name: runs.read_history(folder / "history.csv") for folder in trained}
    histories = {name: rows for name, rows in histories.items() if rows}
    if not (histories and summary):
        return None
    several = len(trained) > 1
    curves = figures.draw_comparison(histories) if several else figures.draw_curves(next(iter(histories.values())))
    files = [folder / HELD_OUT for folder in trained]
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    sections = sorted((row for part in kept for row in part["sections"]), key=lambda row: find_score(row["scores"])[1])
    reliability = {name: _pool(kept, name) for name in ("before", "after")} if kept else {}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        run=run.name,
        summary=summary,
        ended="ended" in summary,
        epochs=[(name, len(rows)) for name, rows in histories.items()],
        minutes=sum(row["seconds"] for rows in histories.values() for row in rows) / 60,
        several=len(trained) if several else 0,
        scores=explain(summary.get("scores", {})),
        parts=list(summary.get("scores", {})),
        curves=_encode_figure(curves),
        sections=_choose(sections),
        count=len(sections),
        reliability=_encode_figure(figures.draw_reliability(reliability)) if kept else None,
        errors={name: calibration.expected_error(rows) for name, rows in reliability.items()},
        doubts=sorted((row for part in kept for row in part["doubts"]), key=lambda row: -float(row["pixels"]))[:LISTED],
        objects=_count_objects(sections),
        command=repeat(summary.get("arguments", {})),
    )
    with writing.whole_file(run / REPORT) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return run / REPORT


def _pool(kept, name):
    return calibration.pool([(part["reliability"][name], part["pixels"]) for part in kept])


def _count_objects(sections):
    """What is found of the objects of all sections: a dict, None where these are not counted."""
    counts = [row.get("objects") for row in sections]
    if not counts or None in counts:
        return None
    total = {name: sum(one[name] for one in counts) for name in ("found", "missed", "extra")}
    return {"kind": counts[0]["kind"], **total, **objects.score_matches(counts)}


def find_score(scores):
    """The score that sections are ordered by: the mean IoU, else that of the class shown first, else accuracy."""
    names = ["mean_iou", *(name for name in scores if name.endswith("_iou")), "accuracy"]
    name = next((name for name in names if name in scores), None)
    return (name, scores[name]) if name else ("", 1.0)


def _choose(sections):
    """The sections to be shown, of the worst as many as `LARGEST` allows: list of (stem, score, value, overlay)."""
    shown, size = [], 0
    for row in sections:
        size += len(row.get("overlay", ""))
        if "overlay" not in row or (shown and size > LARGEST):
            break
        shown.append((row["stem"], *find_score(row["scores"]), row["overlay"]))
    return shown


def explain(scores):
    """Each score of a run by name: list of (name, values by part, what it says)."""
    names = dict.fromkeys(name for values in scores.values() for name in values)
    return [(name, [values.get(name) for values in scores.values()], _say(name)) for name in names]


def _say(name):
    """What a score says: a sentence that begins with its value."""
    end = next((end for end in MEANINGS if name == end), None) or next(end for end in MEANINGS if name.endswith(end))
    return MEANINGS[end].format(name.removesuffix(end))


def repeat(arguments):
    """The command that would train the same again, from the arguments in run.json."""
    words = ["python", "main.py"]
    for name, value in arguments.items():
        option = f"--{name.replace('_', '-')}"
        if name in UNASKED or value is None or (value is False and name not in WRITTEN):
            continue
        if value is False:
            words.append(option.replace("--", "--no-", 1))
        else:
            words += [option] if value is True else [option, str(value)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
