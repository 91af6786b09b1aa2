import numpy as np
import pytest
from scipy.stats import spearmanr

from camviz.errors import CamvizError
from camviz.evaluation.rank_correlation import pairwise_rank_correlation, rank_correlation
from camviz.render import upsample

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("values", [2, 5, 10**6])
def test_rank_correlation_equals_scipy_with_and_without_ties(values):
    a = RANDOM.integers(0, values, (9, 11)).astype(np.float32)
    b = a + RANDOM.integers(0, values, (9, 11))
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-12)


def test_rank_correlation_is_invariant_to_monotone_maps():
    a = RANDOM.normal(size=(6, 6))
    assert rank_correlation(a, np.exp(3 * a)) == pytest.approx(1)
    assert rank_correlation(a, -(a**3)) == pytest.approx(-1)


def test_rank_correlation_of_a_constant_map_is_zero():
    a = RANDOM.normal(size=(6, 6))
    assert rank_correlation(a, np.full((6, 6), 0.1)) == 0
    assert rank_correlation(np.zeros((6, 6)), np.zeros((6, 6))) == 0


def test_maps_of_several_sizes_are_upsampled_to_one_size():
    coarse, fine = RANDOM.normal(size=(4, 3)).astype(np.float32), RANDOM.normal(size=(8, 6)).astype(np.float32)
    pixels = RANDOM.normal(size=(3, 16, 12)).astype(np.float32)
    result = pairwise_rank_correlation([coarse, fine, pixels, -coarse], (16, 12))
    common = [upsample(coarse, (16, 12)), upsample(fine, (16, 12)), np.abs(pixels).sum(axis=0)]
    expected = spearmanr(np.stack([values.ravel() for values in common], axis=1)).statistic
    np.testing.assert_allclose(result[:3, :3], expected, atol=1e-12)
    np.testing.assert_allclose(result[3], [-1, -expected[0, 1], -expected[0, 2], 1], atol=1e-12)


def test_constant_map_has_zero_correlation_after_upsampling():
    a = RANDOM.normal(size=(7, 7)).astype(np.float32)
    flat = np.full((7, 7), 0.1, np.float32)  # upsampled, it differs in the last bit
    np.testing.assert_allclose(pairwise_rank_correlation([a, flat], (224, 200)), [[1, 0], [0, 0]], atol=1e-12)


def test_empty_list_gives_an_empty_matrix_and_wrong_maps_are_refused():
    assert pairwise_rank_correlation([], (4, 4)).shape == (0, 0)
    with pytest.raises(CamvizError, match=r"\(2, 2\) and \(2, 3\)"):
        rank_correlation(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(CamvizError, match="not finite"):
        pairwise_rank_correlation([np.array([[0.0, np.nan]])], (4, 4))
