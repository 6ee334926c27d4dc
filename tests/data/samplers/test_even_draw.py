"""A limit takes an even draw over lengths, not the shortest."""

import numpy as np
import polars as pl
import pytest

from kaskad.data.samplers.even_draw import in_order

LENGTHS = np.random.default_rng(0).lognormal(1.0, 0.6, size=500)
MANIFEST = pl.DataFrame({"duration": LENGTHS})


@pytest.mark.parametrize("limit", [1, 3, 10, 0.1, 0.5])
def test_a_limit_takes_all_lengths_alike(limit) -> None:
    order = in_order(MANIFEST, 40.0, 32, limit, seed=1)
    batches = order.plan(0)
    whole = in_order(MANIFEST, 40.0, 32)
    taken = limit if isinstance(limit, int) else int(len(whole) * limit)
    rows = np.concatenate(batches[:taken])
    assert len(set(rows)) == len(rows) > 0
    for batch in batches[:taken]:
        assert len(batch) == 1 or len(batch) * LENGTHS[batch].max() <= 40.0
    ranks = np.sort(np.argsort(np.argsort(LENGTHS))[rows]) / len(LENGTHS)
    even = (np.arange(len(rows)) + 0.5) / len(rows)
    assert np.abs(ranks - even).max() <= 1 / len(rows)
    # Who takes all has all, once.
    assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
    assert len(order) == len(batches) == len(whole)
    # Another seed draws others, the same one the same.
    again = np.concatenate(in_order(MANIFEST, 40.0, 32, limit, seed=1).plan(0)[:taken])
    other = np.concatenate(in_order(MANIFEST, 40.0, 32, limit, seed=2).plan(0)[:taken])
    assert np.array_equal(rows, again) and not np.array_equal(rows, other)


@pytest.mark.parametrize("limit", [1.0, 0, 1000])
def test_without_a_limit_the_shortest_come_first(limit) -> None:
    rows = np.concatenate(in_order(MANIFEST, 40.0, 32, limit).plan(0))
    assert np.array_equal(LENGTHS[rows], np.sort(LENGTHS))
