"""A walk through the graph stays among neighbours, and batches along it keep what they promise."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kaskad.data.checks import DataError
from kaskad.data.embedding_index import (
    look_up,
    make_graph,
    nearest_rows,
    open_embeddings,
    seen_rows,
    walk_through,
)
from kaskad.data.samplers.embedding_graph import EmbeddingGraph, walk_file

DRAW = np.random.default_rng(0)
DURATIONS = DRAW.lognormal(1.0, 0.6, size=600)
# Three kinds of utterances, of all lengths; the net tells them apart.
KINDS = DRAW.integers(3, size=600)
EMBEDDINGS = (np.eye(8)[KINDS] + DRAW.normal(scale=0.05, size=(600, 8))).astype(np.float16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With walks for passages 1 and 2; the last ten utterances were never seen."""
    for passage in (1, 2):
        np.save(walk_file(tmp_path, passage), walk_through(EMBEDDINGS, np.arange(590), passage))
    return tmp_path


def order(folder: Path, along: str) -> EmbeddingGraph:
    manifest = pl.DataFrame({"duration": DURATIONS})
    return EmbeddingGraph(manifest, 60.0, 16, spread=0.2, along=along, folder=folder)


def test_the_walk_visits_all_and_seldom_leaves_its_kind(folder: Path) -> None:
    walk = np.load(walk_file(folder, 1))
    assert sorted(walk.tolist()) == [*range(590)]
    assert np.mean(KINDS[walk[1:]] != KINDS[walk[:-1]]) < 0.1


def test_a_walk_in_parts_is_the_same_in_however_many_threads(monkeypatch) -> None:
    monkeypatch.setattr("kaskad.data.embedding_index.PART", 200)
    seen = np.flatnonzero(np.arange(600) % 10)
    walk, other = (walk_through(EMBEDDINGS, seen, seed=0, threads=each) for each in (1, 3))
    assert np.array_equal(walk, other)
    assert sorted(walk.tolist()) == seen.tolist()
    assert np.mean(KINDS[walk[1:]] != KINDS[walk[:-1]]) < 0.1


@pytest.mark.parametrize("portion", [7, 10_000])
def test_what_is_looked_up_is_the_nearest(portion: int, monkeypatch) -> None:
    monkeypatch.setattr("kaskad.data.embedding_index.PORTION", portion)
    known = EMBEDDINGS[:590].copy()
    known[3] = 0  # could not be read
    rows, similarities = nearest_rows(known, EMBEDDINGS[595:], 3)
    whole = EMBEDDINGS.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    cosines = whole[595:] @ whole[:590].T
    cosines[:, 3] = -2
    assert similarities == pytest.approx(-np.sort(-cosines, axis=1)[:, :3], abs=1e-3)
    assert np.array_equal(rows, np.argsort(-cosines, axis=1)[:, :3])
    few, _ = nearest_rows(known[:2], EMBEDDINGS[595:], 3)
    assert few.shape == (5, 2)


def test_a_graph_may_be_of_one() -> None:
    only = np.array([7])
    assert look_up(make_graph(EMBEDDINGS, only), EMBEDDINGS[7:8], 3)[0].tolist() == [[7]]
    assert walk_through(EMBEDDINGS, only, seed=0).tolist() == [7]


def test_what_was_not_seen_has_no_row() -> None:
    embeddings = EMBEDDINGS[:5].copy()
    embeddings[1], embeddings[3, 2] = 0.0, np.nan
    assert seen_rows(embeddings).tolist() == [0, 2, 4]


@pytest.mark.parametrize("along", ["near", "far", "length", "random"])
def test_every_passage_has_all_rows_in_batches_of_like_length(folder: Path, along: str) -> None:
    sampler = order(folder, along)
    for passage in (0, 1, 2):
        batches = sampler.plan(passage)
        assert len(batches) == len(sampler) == len(order(folder, "random"))
        assert sorted(np.concatenate(batches).tolist()) == [*range(600)]
        for batch in batches:
            longest, shortest = DURATIONS[batch].max(), DURATIONS[batch].min()
            assert longest <= shortest * 1.2
            assert len(batch) <= 16 and (len(batch) == 1 or len(batch) * longest <= 60.0)


def test_batches_are_of_one_kind_near_and_of_all_kinds_far(folder: Path) -> None:
    kinds = {}
    for along in ("near", "far", "random"):
        batches = [batch for batch in order(folder, along).plan(1) if len(batch) >= 6]
        kinds[along] = np.mean([len(np.unique(KINDS[batch])) for batch in batches])
    assert kinds["near"] + 0.4 < kinds["random"] < kinds["far"]


def test_the_length_order_goes_from_short_to_long(folder: Path) -> None:
    lengths = [DURATIONS[batch].max() for batch in order(folder, "length").plan(1)]
    assert np.mean(np.diff(lengths) >= -0.2 * np.array(lengths[1:])) == 1.0


def test_an_unknown_way_is_refused(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"sampler\.along=close; it can be near, far, length, rand"
    ):
        order(folder, "close")


def test_a_walk_that_is_lost_is_reported(folder: Path) -> None:
    with pytest.raises(DataError, match=r"walk-3\.npy: the walk of this epoch, .* is gone"):
        order(folder, "near").plan(3)


def test_where_no_utterance_was_seen_the_order_is_random(folder: Path) -> None:
    np.save(walk_file(folder, 1), walk_through(EMBEDDINGS, np.array([], dtype=np.int64), seed=0))
    assert sorted(np.concatenate(order(folder, "near").plan(1)).tolist()) == [*range(600)]


def test_embeddings_of_another_corpus_are_refused(tmp_path: Path) -> None:
    open_embeddings(tmp_path / "embeddings-0.npy", (5, 8))
    with pytest.raises(DataError, match=r"holds 5 embeddings of 8 values, .* not 6 of 8"):
        open_embeddings(tmp_path / "embeddings-0.npy", (6, 8))
