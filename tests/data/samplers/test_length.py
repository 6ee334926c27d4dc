"""An epoch holds what it promises, within the budget, and no two epochs are alike."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from kaskad.data.checks import DataError
from kaskad.data.samplers.balanced import Balanced
from kaskad.data.samplers.length import LengthBuckets, SortedByLength, SortedFirst

DRAW = np.random.default_rng(0)
DURATIONS = DRAW.lognormal(1.0, 0.6, size=1_000)
# One of the speakers has half of all utterances, another has five.
SPEAKERS = np.repeat(["anna", "boris", "clara", "dora"], [500, 200, 295, 5])
MANIFEST = pl.DataFrame({"duration": DURATIONS, "speaker": DRAW.permutation(SPEAKERS)})
BUDGETS = [(60.0, 32), (20.0, 8), (4.0, 1_000), (1e9, 7), (0.1, 5)]
ALL_ONCE = [SortedByLength, LengthBuckets, SortedFirst]
SHUFFLED = [LengthBuckets, SortedFirst, Balanced]


def lists(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("sampler", [*ALL_ONCE, Balanced])
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_epoch_keeps_within_the_budget_in_as_many_batches(sampler, budget) -> None:
    order = sampler(MANIFEST, *budget)
    seconds, utterances = budget
    for passage in (0, 1, 17):
        batches = order.plan(passage)
        assert len(batches) == len(order)
        assert sum(map(len, batches)) == len(DURATIONS)
        for batch in batches:
            assert 1 <= len(batch) <= utterances
            assert len(batch) == 1 or len(batch) * DURATIONS[batch].max() <= seconds


@pytest.mark.parametrize("sampler", ALL_ONCE)
def test_every_row_comes_once_an_epoch(sampler) -> None:
    order = sampler(MANIFEST, 60.0, 32)
    for passage in (0, 1, 17):
        rows = np.concatenate(order.plan(passage))
        assert sorted(rows.tolist()) == [*range(len(DURATIONS))]


@pytest.mark.parametrize("sampler", [*ALL_ONCE, Balanced])
def test_batches_are_full_of_utterances_of_like_length(sampler) -> None:
    batches = sampler(MANIFEST, 60.0, 32).plan(1)
    padded = [len(rows) * DURATIONS[rows].max() for rows in batches]
    assert sum(DURATIONS[rows].sum() for rows in batches) / sum(padded) > 0.85
    assert np.mean(padded) > 0.75 * 60


@pytest.mark.parametrize("sampler", SHUFFLED)
def test_every_epoch_has_another_order_and_other_neighbours(sampler) -> None:
    order = sampler(MANIFEST, 60.0, 32)
    rows = [lists(order.plan(passage)) for passage in (1, 2, 3)]
    assert rows[0] != rows[1] != rows[2] != rows[0]
    neighbours = [{frozenset(batch) for batch in batches} for batches in rows]
    assert len(neighbours[0] & neighbours[1]) < len(order) / 10
    lengths = [DURATIONS[batch].mean() for batch in rows[0]]
    assert lengths != sorted(lengths)


@pytest.mark.parametrize("sampler", SHUFFLED)
def test_the_same_seed_and_epoch_give_the_same_plan(sampler) -> None:
    used = sampler(MANIFEST, 60.0, 32, seed=1)
    for passage in range(3):
        used.plan(passage)
    again, other = (sampler(MANIFEST, 60.0, 32, seed=seed) for seed in (1, 2))
    assert lists(used.plan(5)) == lists(again.plan(5)) != lists(other.plan(5))


@pytest.mark.parametrize("sampler", [SortedByLength, SortedFirst])
def test_the_first_epoch_goes_from_short_to_long(sampler) -> None:
    order = sampler(MANIFEST, 60.0, 32)
    rows = np.concatenate(order.plan(0))
    assert rows.tolist() == np.argsort(DURATIONS, kind="stable").tolist()
    is_sorted = lists(order.plan(1)) == lists(order.plan(0))
    assert is_sorted == (sampler is SortedByLength)


def test_balanced_gives_every_speaker_as_much_and_within_a_speaker_every_utterance() -> None:
    order = Balanced(MANIFEST, 60.0, 32)
    owners = MANIFEST["speaker"].to_numpy()
    drawn = np.zeros(len(owners))
    epochs = 200
    for passage in range(epochs):
        rows = np.concatenate(order.plan(passage))
        assert set(np.unique(owners[rows], return_counts=True)[1]) == {250}
        drawn += np.bincount(rows, minlength=len(owners))
    for speaker, count in zip(*np.unique(owners, return_counts=True), strict=True):
        expected = epochs * 250 / count
        own = drawn[owners == speaker]
        # Four standard deviations of a draw that is at most as uneven as one without parts.
        assert np.abs(own - expected).max() < 4.5 * np.sqrt(expected) + 1, speaker
        assert own.sum() == epochs * 250


@pytest.mark.parametrize("seed", range(20))
def test_no_balanced_batch_goes_over_the_budget_whoever_speaks_how_long(seed: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 120, size=generator.integers(2, 7))
    # A speaker's utterances are all of one length: one of another in their place shows.
    manifest = pl.DataFrame(
        {
            "duration": np.repeat(generator.uniform(1, 10, len(counts)).round(2), counts),
            "speaker": np.repeat(np.arange(len(counts)), counts),
        }
    )
    durations = manifest["duration"].to_numpy()
    order = Balanced(manifest, 22.0, 32, seed, blur=0.0)
    bound = np.sort(durations[order.longest_draw()])
    for passage in range(20):
        batches = order.plan(passage)
        assert max(len(rows) * durations[rows].max() for rows in batches) <= 22.0 + 1e-9
        assert (np.sort(durations[np.concatenate(batches)]) <= bound).all()


def test_the_longest_draw_of_balanced_is_one_that_comes() -> None:
    manifest = pl.DataFrame({"duration": [1.0, 2.0, 3.0, 4.0, 9.0], "speaker": ["a"] * 4 + ["b"]})
    order = Balanced(manifest, 1e9, 32, blur=0.0)
    # Of four utterances, three parts of 1 1/3 each end in the second, the third and the fourth.
    assert sorted(order.longest_draw().tolist()) == [1, 2, 3, 4, 4]
    drawn = {tuple(sorted(order.plan(passage)[0].tolist())) for passage in range(300)}
    assert max(drawn) == (1, 2, 3, 4, 4)


@pytest.mark.parametrize(
    ("sampler", "budget", "fault"),
    [
        (SortedByLength, (0.0, 32), "batch_seconds=0.0: a batch holds more than 0 seconds"),
        (LengthBuckets, (float("nan"), 32), "batch_seconds=nan: "),
        (Balanced, (60.0, 0), "max_utterances=0: a batch holds 1 utterance or more"),
        (
            partial(SortedFirst, blur=-0.1),
            (60.0, 32),
            r"sampler\.blur=-0\.1: it is a share, 0 or more",
        ),
    ],
)
def test_a_budget_in_which_nothing_fits_is_refused(sampler, budget, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        sampler(MANIFEST, *budget)


@pytest.mark.parametrize(
    ("power", "counts"),
    [(0.0, {"a": 300, "b": 350, "c": 350}), (1.0, {"a": 300, "b": 600, "c": 100})],
)
def test_one_corpus_has_the_share_it_is_given_and_the_others_the_rest(power, counts) -> None:
    corpora = ["a"] * 300 + ["b"] * 600 + ["c"] * 100
    manifest = pl.DataFrame({"duration": [1.0] * 1000, "corpus": corpora})
    order = Balanced(manifest, 60.0, 32, by="corpus", shares={"a": 0.3}, power=power)
    drawn = manifest["corpus"][np.concatenate(order.plan(0))]
    assert dict(drawn.value_counts().rows()) == counts


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ({"d": 0.3}, "there are a, b$"),
        ({"a": 1.3}, "add up to 1 at most"),
        ({"a": 0.3, "b": 0.3}, "add up to 0.6, and nothing else is left"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, fault: str) -> None:
    manifest = pl.DataFrame({"duration": [1.0, 2.0], "corpus": ["a", "b"]})
    with pytest.raises(DataError, match=fault):
        Balanced(manifest, 60.0, 32, by="corpus", shares=shares)


def test_balanced_tells_which_columns_there_are() -> None:
    make = partial(Balanced, batch_seconds=60.0, max_utterances=32)
    with pytest.raises(DataError, match=r"sampler\.by=dialect: 1000 of 1000 .* duration, speaker"):
        make(MANIFEST, by="dialect")
    unknown = MANIFEST.with_columns(
        speaker=pl.when(pl.col("speaker") != "dora").then(pl.col("speaker"))
    )
    with pytest.raises(DataError, match=r"sampler\.by=speaker: 5 of 1000 training utterances have"):
        make(unknown)
