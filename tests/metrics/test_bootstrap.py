"""Intervals of figures are those of a bootstrap over utterances."""

import numpy as np
import pytest

from kaskad.metrics.bootstrap import RESAMPLES, Share, intervals, resampled, share


def test_the_interval_of_a_coin_is_that_of_the_binomial_distribution() -> None:
    # Of 10 drawn, each wrong with probability 1/2: P(1 or fewer) = 0.011, P(2 or fewer) = 0.055.
    wrong = share(np.array([1, 0] * 5))
    assert wrong.value == 0.5
    assert intervals({"error": wrong})["error"] == pytest.approx((0.2, 0.8))


def test_utterances_weigh_as_many_words_as_they_have() -> None:
    values = resampled({"wer": share(np.array([1, 0]), np.array([1, 9]))})["wer"]
    assert len(values) == RESAMPLES
    assert set(values.round(6)) == {0.0, 0.1, 1.0}
    assert np.mean(values == 0.1) == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_draws_the_same_utterances() -> None:
    wrong = {"error": share(np.arange(50) % 3)}
    assert intervals(wrong) == intervals(wrong)
    assert not np.array_equal(resampled(wrong)["error"], resampled(wrong, seed=1)["error"])


def test_many_utterances_are_drawn_block_by_block() -> None:
    wrong = share(np.arange(20_000) % 2)
    low, high = intervals({"error": wrong})["error"]
    # The normal approximation: 1.96 sqrt(0.25 / n).
    assert (low, high) == pytest.approx((0.5 - 0.00693, 0.5 + 0.00693), abs=0.001)


def test_a_mean_of_ratios_leaves_out_those_of_nothing() -> None:
    said = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    balanced = Share(said * [1, 1, 1, 0], said)
    assert balanced.value == 0.75
    assert balanced.part(np.array([2, 3])).value == 0.5


def test_what_is_counted_of_nothing_stays_as_it_is() -> None:
    assert share(np.array([2]), np.array([0])).value == 2.0
    assert share(np.array([0]), np.array([0])).value == 0.0
