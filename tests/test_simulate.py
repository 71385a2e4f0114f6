"""data/membrane and the script that makes it."""

import numpy as np
import pytest
import simulate
from helpers import REPOSITORY

import data
from segmentation.files import checks, dataset, folders, images

BUNDLED = REPOSITORY / "data" / "membrane"


def test_the_bundled_set_is_whole_and_small():
    assert checks.find_problems(dataset.survey(BUNDLED), 0.2, 512) == []
    for folder in ("train/image", "train/label", "test", "test/label"):
        assert list(folders.find_images(BUNDLED / folder)) == [str(i) for i in range(30)]
    committed = [file for file in BUNDLED.rglob("*.png") if not file.stem.endswith(folders.PREDICTED)]
    assert sum(file.stat().st_size for file in committed) < 15e6


def test_membrane_fills_the_share_that_it_does_in_real_sections():
    insides = data.read_pairs(BUNDLED / "train").labels
    assert 0.18 < 1 - np.mean(insides) < 0.26


@pytest.mark.parametrize(("part", "k", "image", "label"), [(1, 29, "test/29.png", "test/label/29.png")])
def test_the_script_makes_the_bundled_set(part, k, image, label):
    made, made_label = simulate.Volume((simulate.SEED, part)).section(k)
    # To the byte with the same NumPy and SciPy; others may round a pixel in a million the other way.
    assert np.mean(made != images.read_array(BUNDLED / image)) < 1e-3
    assert np.mean(made_label != (images.read_array(BUNDLED / label) > 0)) < 1e-3


def test_smear_by_hand():
    half = simulate.MEMBRANE
    # A membrane that stands upright fills the whole section, or none of it beside.
    assert simulate.smear(np.array([0, half - 0.1, half + 0.5]), np.zeros(3)) == pytest.approx([1, 1, 0])
    # One that lies flat (its distance changes by 1 a pixel of depth) fills as much of the section as it is thick.
    share = 2 * half / simulate.THICKNESS
    assert simulate.smear(np.zeros(1), np.ones(1)) == pytest.approx([simulate.SATURATION * share])


def test_drop_small_by_hand():
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], bool)
    assert simulate.drop_small(mask, 2).tolist() == [[False, False, True, True], [False, False, True, False]]
