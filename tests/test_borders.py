import numpy as np
import pytest

from segmentation.training import borders


@pytest.mark.parametrize("sigma", [2, 5])
def test_border_weights_by_hand(sigma):
    # Two cells of one row, three pixels of membrane between them: the distances to both add up to 4 everywhere there.
    label = np.array([[True, False, False, False, True]])
    expected = np.array([[1, *[1 + 10 * np.exp(-(4**2) / (2 * sigma**2))] * 3, 1]])
    np.testing.assert_allclose(borders.weigh_borders(label, 10, sigma), expected / expected.mean(), rtol=1e-6)


def test_border_weights_fall_with_the_width_and_need_two_cells():
    label = np.ones((20, 60), bool)
    label[:, 10:12] = label[:, 40:50] = False
    weights = borders.weigh_borders(label, 10)
    assert weights[5, 10] > weights[5, 45] > weights[5, 30]
    assert weights.mean() == pytest.approx(1, rel=1e-6)
    np.testing.assert_array_equal(borders.weigh_borders(np.ones((4, 4), bool), 10), 1)
