"""An epoch holds every utterance once, within the budget, and no two epochs are alike."""

import numpy as np
import pytest

from kaskad.data.samplers import LengthBuckets

DURATIONS = np.random.default_rng(0).lognormal(1.0, 0.6, size=1_000)
BUDGETS = [(60.0, 32), (20.0, 8), (4.0, 1_000), (1e9, 7), (0.1, 5)]


def buckets(
    budget: tuple[float, int] = (60.0, 32), *, shuffle: bool = True, seed: int = 0
) -> LengthBuckets:
    return LengthBuckets(DURATIONS, *budget, shuffle=shuffle, seed=seed)


def epoch(sampler: LengthBuckets, number: int) -> list[list[tuple[int, int]]]:
    sampler.set_epoch(number)
    return list(sampler)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_row_comes_once_an_epoch_within_the_budget(budget, shuffle: bool) -> None:
    sampler = buckets(budget, shuffle=shuffle)
    seconds, utterances = budget
    for number in (0, 1, 17):
        batches = epoch(sampler, number)
        assert len(batches) == len(sampler)
        assert {key[0] for batch in batches for key in batch} == {number}
        assert sorted(row for batch in batches for _, row in batch) == [*range(len(DURATIONS))]
        for batch in batches:
            longest = max(DURATIONS[row] for _, row in batch)
            assert len(batch) <= utterances
            assert len(batch) == 1 or len(batch) * longest <= seconds


def test_batches_are_full_of_utterances_of_like_length() -> None:
    padded = [len(rows) * DURATIONS[rows].max() for rows in buckets().plan()]
    assert DURATIONS.sum() / sum(padded) > 0.9
    assert np.mean(padded) > 0.8 * 60


def test_every_epoch_has_another_order_and_other_neighbours() -> None:
    sampler = buckets()
    epochs = [epoch(sampler, number) for number in range(3)]
    rows = [[[row for _, row in batch] for batch in batches] for batches in epochs]
    assert rows[0] != rows[1] != rows[2] != rows[0]
    neighbours = [{frozenset(batch) for batch in batches} for batches in rows]
    assert len(neighbours[0] & neighbours[1]) < len(sampler) / 10
    lengths = [DURATIONS[batch].mean() for batch in rows[0]]
    assert lengths != sorted(lengths)


def test_the_same_seed_and_epoch_give_the_same_plan() -> None:
    used = buckets(seed=1)
    for number in range(3):
        epoch(used, number)
    assert epoch(used, 5) == epoch(buckets(seed=1), 5)
    assert epoch(used, 5) != epoch(buckets(seed=2), 5)


def test_unshuffled_the_order_is_by_length_and_always_the_same() -> None:
    sampler = buckets(shuffle=False)
    rows = [[row for batch in epoch(sampler, number) for _, row in batch] for number in (0, 1)]
    assert rows[0] == rows[1] == np.argsort(DURATIONS, kind="stable").tolist()
