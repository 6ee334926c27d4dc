"""Few shards are read at a time; else, an epoch is one of length buckets."""

import numpy as np
import polars as pl
import pytest

from kaskad.data.checks import DataError
from kaskad.data.samplers.length import LengthBuckets
from kaskad.data.samplers.shard_windows import ShardWindows

DRAW = np.random.default_rng(0)
DURATIONS = DRAW.lognormal(1.0, 0.6, size=2_000)
SHARD = np.repeat(np.arange(20), 100)
PATHS = [f"/c/train-{shard:05d}.tar#{512 * row}+512" for row, shard in enumerate(SHARD)]
MANIFEST = pl.DataFrame({"path": PATHS, "duration": DURATIONS})


@pytest.mark.parametrize("budget", [(60.0, 32), (4.0, 1_000), (1e9, 7)])
def test_every_passage_has_all_rows_once_within_the_budget_in_as_many_batches(budget) -> None:
    order = ShardWindows(MANIFEST, *budget, window=3)
    for passage in (0, 1, 17):
        batches = order.plan(passage)
        assert len(batches) == len(order)
        assert sorted(np.concatenate(batches).tolist()) == [*range(2_000)]
        for batch in batches:
            assert 1 <= len(batch) <= budget[1]
            assert len(batch) == 1 or len(batch) * DURATIONS[batch].max() <= budget[0]


def test_shards_are_done_with_once_their_window_is_over() -> None:
    order = ShardWindows(MANIFEST, 60.0, 32, window=3)
    begun: list[int] = []
    for batch in order.plan(1):
        fresh = set(SHARD[batch].tolist()) - set(begun[-3:])
        assert not fresh & set(begun)  # none is come back to
        begun += sorted(fresh)
    assert sorted(begun) == [*range(20)]


def test_passages_differ_and_are_as_full_as_those_of_length_buckets() -> None:
    order = ShardWindows(MANIFEST, 60.0, 32, window=3)
    plans = [[batch.tolist() for batch in order.plan(passage)] for passage in (0, 1, 0)]
    assert plans[0] == plans[2]
    assert (
        len({frozenset(b) for b in plans[0]} & {frozenset(b) for b in plans[1]}) < len(order) / 10
    )
    assert {SHARD[plan[0][0]] for plan in map(order.plan, range(20))} != {SHARD[plans[0][0][0]]}
    assert len(order) < 1.15 * len(LengthBuckets(MANIFEST, 60.0, 32))
    windows = ShardWindows(MANIFEST, 60.0, 32, window=100)
    assert len(windows) == len(LengthBuckets(MANIFEST, 60.0, 32))


def test_a_corpus_of_files_is_refused_with_what_to_do() -> None:
    some = MANIFEST.with_columns(
        path=pl.when(pl.int_range(pl.len()) < 1_990).then("path").otherwise(pl.lit("/c/a.wav"))
    )
    with pytest.raises(DataError, match=r"10 of 2000 .* \(first: /c/a\.wav\); pack the corpus"):
        ShardWindows(some, 60.0, 32)
    with pytest.raises(ValueError, match=r"sampler\.window=0"):
        ShardWindows(MANIFEST, 60.0, 32, window=0)
