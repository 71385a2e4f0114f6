import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers import draw_section

import main
from segmentation.files import classes
from segmentation.scores import tables
from segmentation.training import report, runs

HOSTILE = "<script>document.title = 'taken'</script>"
KNOWN = classes.Classes((0, 255), ("membrane", "cell"), pixels=(1, 3), parted=True)
HISTORY = "epoch,seconds,accuracy,loss,cell_iou,val_accuracy,val_loss,val_cell_iou\n1,60,0.7,0.6,0.5,0.8,0.5,0.6\n"


def make_run(folder, stems, known=KNOWN, three=False, **changes):
    """A run that has ended, whose masks are the worse, the later their stem is."""
    folder.mkdir(parents=True)
    rng, shown, rows = np.random.default_rng(0), report.Sections(known, 1.5), {}
    for number, stem in enumerate(stems):
        image, label = draw_section(rng)
        mask = label ^ (rng.random(label.shape) < 0.02 * number)
        probability = np.where(mask, 0.9, 0.1).astype("float32")
        image, label, mask = image[..., np.newaxis] / np.float32(255), label.astype("uint8"), mask.astype("uint8")
        if three:
            label[:10], mask[:10] = 2, 2
            probability = np.float32(0.8) * np.eye(3, dtype="float32")[mask] + np.float32(0.2 / 3)
        rows[stem] = tables.score_mask(label, mask, known)
        shown.add(stem, image, label, probability, mask, rows[stem])
    shown.write(folder)
    (folder / "history.csv").write_text(HISTORY)
    options = vars(main.parse(["--data", "cells & more", "--run", str(folder)])) | changes
    runs.open_run(folder, options | {"resume": True}, trained_on={"classes": "0, 255"})
    facts = {"device": "CPU:0", "versions": {"python": "3.11.7"}, "seconds": 60.0}
    runs.close_run(folder, options, **facts, scores={"held out": tables.mean_scores(rows.values())})
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_page_needs_nothing_else_and_says_what_there_is():
    file = report.write(make_run(Path("runs/cells"), ["good", "middling", "bad"]))
    page = file.read_text()
    assert file == Path("runs/cells/report.html") and file.stat().st_size < 5_000_000
    assert not re.search(r"https?:|<link|<script|@import|src=\"(?!data:)", page)
    for expected in ("cells &amp; more", "1.0 minutes on CPU:0", "membrane_iou", "python 3.11.7", "Seed 0.", "F1 is"):
        assert expected in page, expected
    # The worst first, and it alone is open.
    assert re.findall(r'<span class="name">(.*?)</span>', page) == ["bad", "middling", "good"]
    assert page.count("<details open>") == 1 and page.count("<details>") == 2
    assert "was stopped before it ended" not in page


def test_names_are_escaped(browser):
    known = classes.Classes((0, 255), (HOSTILE, "cell"), pixels=(1, 3), parted=True)
    folder = make_run(Path("runs/odd"), [HOSTILE, "b"], known, data=HOSTILE)
    page = browser.new_page()
    page.goto(report.write(folder).resolve().as_uri())
    assert page.title() == "odd: report of a U-Net"
    assert page.evaluate("document.scripts.length") == 0
    assert page.locator("summary .name", has_text=HOSTILE).count() == 1
    assert page.locator("td", has_text=f"{HOSTILE}_iou").count() == 1
    page.close()


def test_of_a_run_that_was_stopped_it_says_so_and_shows_what_there_is():
    folder = Path("runs/broken")
    folder.mkdir(parents=True)
    assert report.write(folder) is None and not (folder / "report.html").exists()
    (folder / "history.csv").write_text(HISTORY)
    runs.open_run(folder, vars(main.parse(["--data", "cells"])) | {"resume": True})
    page = report.write(folder).read_text()
    assert "This training was stopped before it ended" in page and "1 of 5" in page
    assert "data:image/png" in page and "Held-out images" not in page and "How good it is" not in page


def test_of_several_networks_it_shows_the_sections_of_all():
    folder = Path("runs/several")
    for number, stems in enumerate((["a", "c"], ["b", "d"]), start=1):
        make_run(runs.find_fold(folder, number), stems)
    options = vars(main.parse(["--data", "cells", "--folds", "2"])) | {"resume": True}
    runs.open_run(folder, options)
    runs.close_run(folder, options, device="CPU:0", scores={"held out": {"accuracy": 0.9, "constant": 0.8}})
    page = report.write(folder).read_text()
    assert set(re.findall(r'<span class="name">(.*?)</span>', page)) == {"a", "b", "c", "d"}
    assert "fold1: 1 of 5" in page and "2.0 minutes" in page and "--folds 2" in page
    assert "expected error is" in page


def test_what_is_not_labelled_counts_nowhere():
    known = classes.Classes((0, 255), ("nucleus", "background"), pixels=(1, 3), parted=True)
    shown, label = report.Sections(known, 1.0), np.ones((40, 40), "uint8")
    label[4:12, 4:12] = 0
    label[:, 20:] = classes.IGNORED
    mask = np.ones((40, 40), "uint8")
    mask[4:12, 4:12] = mask[4:8, 30:38] = 0
    image, probability = np.zeros((40, 40, 1), "float32"), np.where(mask, 0.9, 0.1).astype("float32")
    shown.add("half", image, label, probability, mask, tables.score_mask(label, mask, known))
    empty = np.full((40, 40), classes.IGNORED, "uint8")
    shown.add("nothing", image, empty, probability, mask, tables.score_mask(empty, mask, known))
    (row,) = shown.rows
    assert row["stem"] == "half"
    assert row["objects"] == {"kind": "nucleus", "found": 1, "missed": 0, "extra": 0, "iou": 1.0}
    assert shown.reliability["before"][0][1] == 40 * 20


def test_objects_that_are_too_many_to_be_matched_are_left_out(monkeypatch):
    monkeypatch.setattr(report, "MOST_PAIRS", 1)
    page = report.write(make_run(Path("runs/cells"), ["a", "b"])).read_text()
    assert "<h2>Objects" not in page and "<h2>How good it is" in page


def test_of_more_classes_the_worst_mean_iou_comes_first():
    known = classes.Classes((0, 1, 2), ("sky", "road", "tree"), pixels=(1, 2, 3), parted=False)
    folder = make_run(Path("runs/streets"), ["good", "bad"], known, three=True)
    page = report.write(folder).read_text()
    assert re.findall(r'<span class="name">(.*?)</span><span>(\w+)', page)[0] == ("bad", "mean_iou")
    assert "tree_iou" in page and "<h2>Objects" not in page


def test_so_many_overlays_that_the_page_stays_small(monkeypatch):
    stems = [str(number) for number in range(6)]
    (row, *_) = json.loads((make_run(Path("runs/all"), stems) / "held_out.json").read_text())["sections"]
    monkeypatch.setattr(report, "LARGEST", int(2.5 * len(row["overlay"])))
    several = report.write(Path("runs/all")).read_text()
    folder = make_run(Path("runs/many"), stems)
    kept = json.loads((folder / "held_out.json").read_text())["sections"]
    assert 2 <= sum("overlay" in row for row in kept) < 6
    page = report.write(folder).read_text()
    assert page.count("<details") == several.count("<details")
    names = re.findall(r'<span class="name">(.*?)</span>', page)
    assert names[0] == "5" and 2 <= len(names) < 6
    assert f"{len(names)} of 6 are shown." in page


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--data", "my data", "--no-grey", "--class-weights", "--turns", "none", "--folds", "3", "--ignore", "7"],
        ["--objects", "--no-mixed-precision", "--tensorboard", "--loss", "dice", "--weights", "a b.keras"],
    ],
)
def test_the_command_that_it_gives_trains_the_same(argv):
    options = vars(main.parse(argv))
    words = shlex.split(report.repeat(runs._to_text(options)))
    assert words[:2] == ["python", "main.py"]
    assert vars(main.parse(words[2:])) == options


def test_it_fits_wide_and_narrow_screens_light_and_dark_and_paper(browser, tmp_path, pictures):
    file = report.write(make_run(Path("runs/cells"), ["a rather long name of an image " * 3, "b", "c"]))
    colours = {}
    for width, scheme in ((1280, "light"), (400, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(file.resolve().as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        closed = page.locator("details:not([open])").first
        assert not closed.locator("img").is_visible()
        closed.locator("summary").click()
        assert page.locator("details[open]").count() == 2
        page.emulate_media(media="print")
        assert page.evaluate("[...document.images].every(i => i.getBoundingClientRect().height > 10)")
        assert page.pdf(path=tmp_path / "report.pdf")[:4] == b"%PDF"
        page.close()
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}
