"""Intervals of figures are those of a bootstrap over utterances."""

import numpy as np
import polars as pl
import pytest

from kaskad.metrics.bootstrap import (
    RESAMPLES,
    Share,
    intervals,
    mean_of_groups,
    resampled,
    share,
    speaker_groups,
)


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
    truth = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    balanced = Share(truth * [1, 1, 1, 0], truth)
    assert balanced.value == 0.75
    assert balanced.part(np.array([2, 3])).value == 0.5


def test_what_is_counted_of_nothing_stays_as_it_is() -> None:
    assert share(np.array([2]), np.array([0])).value == 2.0
    assert share(np.array([0]), np.array([0])).value == 0.0


def test_by_speaker_an_interval_holds_the_truth_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(0)
    speakers, each, draws = 60, 40, 60
    groups = np.repeat(np.arange(speakers), each)
    held = {"speakers": 0, "utterances": 0}
    for _ in range(draws):
        rates = generator.beta(2, 8, speakers)  # speakers differ; the truth is 0.2
        wrong = generator.random(speakers * each) < rates[groups]
        for way, drawn in (("speakers", groups), ("utterances", None)):
            low, high = intervals({"error": share(wrong)}, drawn)["error"]
            held[way] += low <= 0.2 <= high
    assert held["speakers"] >= 0.9 * draws
    assert held["utterances"] <= 0.8 * draws


def test_speakers_count_alike_in_their_mean() -> None:
    speakers = pl.Series(["a", "a", "a", "b", None])
    groups = speaker_groups(speakers)
    assert groups is not None and len(set(groups.tolist())) == 3
    wrong = share(np.array([1, 1, 1, 0, 0]), np.array([1, 1, 1, 1, 0]))
    assert mean_of_groups(wrong, groups).value == 0.5  # nothing is known of the third
    assert wrong.value == 0.75
    for alone in ([None, None], ["a", "a"], []):
        assert speaker_groups(pl.Series(alone, dtype=pl.String)) is None
