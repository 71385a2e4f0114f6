import os
import shutil

import numpy as np
import pytest
from helpers import SMALL, draw_section, save

import main
from segmentation import devices
from segmentation.training import refusals


@pytest.mark.skipif(os.name == "nt", reason="Windows counts letters")
@pytest.mark.parametrize("name", ["x" * 230, "细胞" * 40])  # of 230 and 240 bytes
def test_a_name_too_long_for_that_of_its_mask_is_refused(cells, name):
    save(draw_section(np.random.default_rng(0))[0], cells / "test" / f"{name}.png")
    _, problems = refusals.check(main.parse(["--data", str(cells), *SMALL]))
    assert f"{cells / 'test' / name}.png: its name is too long for that of its mask; shorten it." in problems


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "3", "--folds", "2", "--scheduler", "tcp://a:1"], "--minutes: fits the steps to one device"),
        (["--scheduler", "tcp://a:1"], "--scheduler tcp://a:1: shares networks, and there is one; give --folds, too."),
    ],
)
def test_options_that_cannot_be_had_together_are_refused(options, message):
    assert message in " ".join(refusals.find_conflicts(main.parse(options), devices.ALONE))


def test_options_that_do_nothing_are_named(cells):
    def find(*given):
        options = main.parse(["--data", str(cells), *SMALL, *given])
        return refusals.find_idle(options, refusals.check(options)[0])

    assert find("--folds", "2") == []
    assert find("--folds", "2", "--validation-fraction", "0.3") == ["With --folds, --validation-fraction does nothing."]
    shutil.copytree(cells / "train", cells / "val")
    line = "val/ is what is held out; --group-by and --validation-fraction do nothing."
    assert find("--group-by", "prefix") == find("--validation-fraction", "0.3") == [line]
