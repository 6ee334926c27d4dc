"""Tests of significance agree with what was worked out by hand."""

import numpy as np
import pytest

from kaskad.metrics.bootstrap import intervals, share
from kaskad.metrics.significance import mapsswe, paired_interval


def test_mapsswe_by_hand() -> None:
    # Differences 1, 1, 0, 2: mean 1, variance 2/3, standard error sqrt(2/3/4), W = sqrt(6).
    found = mapsswe(np.array([2, 1, 0, 3]), np.array([1, 0, 0, 1]))
    assert found["statistic"] == pytest.approx(6**0.5)
    assert found["p"] == pytest.approx(0.014306, abs=1e-6)  # of the normal distribution, two-sided
    back = mapsswe(np.array([1, 0, 0, 1]), np.array([2, 1, 0, 3]))
    assert back["statistic"] == -found["statistic"] and back["p"] == found["p"]


def test_no_difference_is_not_significant_and_one_alone_says_nothing() -> None:
    assert mapsswe(np.array([2, 1]), np.array([2, 1])) == {"statistic": None, "p": 1.0}
    assert mapsswe(np.array([2]), np.array([1])) == {"statistic": None, "p": None}


def test_what_both_models_find_hard_cancels_out() -> None:
    words = np.full(50, 10)
    errors = np.random.default_rng(0).integers(0, 9, size=50)
    first, second = share(errors, words), share(errors + 1, words)
    low, high = intervals({"wer": first})["wer"]
    assert high - low > 0.1
    assert paired_interval(first, second) == pytest.approx((0.1, 0.1))
