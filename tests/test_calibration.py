import numpy as np
import pytest

from segmentation.scores import calibration


def draw_pixels(temperature, classes=None, seed=0):
    """Labels, and what a network says of them that is right at this temperature, or at these, one a class."""
    rng = np.random.default_rng(seed)
    if classes is None:
        said = rng.random((300, 300), "float32")
        return rng.random(said.shape) < calibration.calibrate(said, temperature), said
    said = rng.dirichlet(np.ones(classes), (300, 300)).astype("float32")
    true = calibration.calibrate(said, temperature)
    return (rng.random((300, 300, 1)) > true.cumsum(-1)).sum(-1).clip(max=classes - 1).astype(np.uint8), said


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_used_is_found_and_mends_the_error(classes, temperature):
    label, said = draw_pixels(temperature, classes)
    np.testing.assert_allclose(calibration.fit_temperature([label], [said]), temperature, rtol=0.05)
    # On other pixels than those that it was fitted on.
    label, said = draw_pixels(temperature, classes, seed=1)
    mended = calibration.calibrate(said, temperature)
    before, after = (
        calibration.expected_error(calibration.measure_reliability([label], [maps])) for maps in (said, mended)
    )
    assert after < 0.01
    assert temperature == 1 or before > 0.05
    assert mended.dtype == np.float32 and mended.shape == said.shape


def test_each_of_several_classes_has_a_temperature():
    label, said = draw_pixels((0.5, 1.0, 3.0), 3)
    found = calibration.fit_temperature(list(label.reshape(100, -1, 300)), list(said.reshape(100, -1, 300, 3)))
    assert isinstance(found, tuple) and found == pytest.approx((0.5, 1.0, 3.0), rel=0.1)
    # One image says little of each class.
    assert np.ptp(calibration.fit_temperature([label], [said])) < np.ptp(found) / 2
    label, said = draw_pixels((0.5, 1.0, 3.0), 3, seed=1)
    before, after = (
        calibration.expected_error(calibration.measure_reliability([label], [calibration.calibrate(said, each)]))
        for each in (1.0, found)
    )
    assert after < 0.01 < 0.05 < before
    assert isinstance(calibration.fit_temperature([np.full((4, 4), 255, np.uint8)], [np.zeros((4, 4, 3))]), float)


def test_the_median_is_that_of_each_class():
    assert calibration.find_median([1.0, 3.0, 2.0]) == 2
    assert calibration.find_median([(1.0, 5.0), (2.0, 4.0), (3.0, 0.5)]) == (2, 4)
    assert calibration.find_median([1.5, (1.0, 5.0), (2.0, 4.0)]) == (1.5, 4)  # the first of an older version


def test_what_is_most_probable_stays():
    rng = np.random.default_rng(0)
    two, three = rng.random((50, 50), "float32"), rng.dirichlet(np.ones(3), (50, 50)).astype("float32")
    for temperature in (0.3, 4.0):
        np.testing.assert_array_equal(calibration.calibrate(two, temperature) > 0.5, two > 0.5)
        found = calibration.calibrate(three, temperature)
        np.testing.assert_array_equal(found.argmax(-1), three.argmax(-1))
        np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    ends = calibration.calibrate(np.array([[0.0, 1.0]], "float32"), 2.0)
    assert np.isfinite(ends).all()


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_threshold_means_what_is_written(threshold):
    probability = np.random.default_rng(0).random((50, 50))
    written = calibration.calibrate(probability, 2.5) > threshold
    np.testing.assert_array_equal(probability > calibration.uncalibrate(threshold, 2.5), written)


def test_pixels_that_are_not_labelled_do_not_count():
    label, said = draw_pixels(2.0)
    label = label.astype(np.uint8)
    label[:, 150:] = 255
    said[:, 150:] = 0.99
    assert calibration.fit_temperature([label], [said]) == pytest.approx(2, rel=0.07)
    assert calibration.fit_temperature([np.full((4, 4), 255, np.uint8)], [np.zeros((4, 4))]) == 1
    assert calibration.fit_temperature([], []) == 1


def test_the_reliability_of_parts_together_is_that_of_the_whole():
    label, said = draw_pixels(2.0, 2, seed=3)
    parts = [(label[:20], said[:20]), (label[20:], said[20:])]
    rows = [(calibration.measure_reliability([part], [maps]), part.size) for part, maps in parts]
    expected = calibration.measure_reliability([label], [said])
    np.testing.assert_allclose(calibration.pool(rows), expected, rtol=1e-6)
    assert calibration.pool([]) == []


def test_reliability_by_hand():
    label = np.array([[1, 1, 1, 0]], bool)
    said = np.array([[0.9, 0.9, 0.9, 0.9]])
    ((sure, right, share),) = calibration.measure_reliability([label], [said])
    assert (sure, right, share) == (pytest.approx(0.9), 0.75, 1.0)
    assert calibration.expected_error([(0.9, 0.75, 0.5), (0.6, 0.7, 0.5)]) == pytest.approx(0.125)
