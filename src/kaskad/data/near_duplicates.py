"""Recordings of which one is a copy of the other: re-encoded, trimmed, resampled or louder."""

import logging
from pathlib import Path

import numpy as np
import polars as pl

from kaskad.audio.fingerprints import KEY_BITS, similarities

log = logging.getLogger(__name__)

MOST_PAIRS = 50_000  # whose waveforms are compared
MOST_RECORDINGS = 300  # that have a key: one of more tells nothing
UNLIKE = KEY_BITS // 2  # bits of a context, of twice as many as a key has, that a copy may change
PAIR = ("row", "held_row", "keys", "unlike")
PORTION = 25_000  # recordings whose keys are looked through at once


def find_copies(
    train: pl.DataFrame,
    held: pl.DataFrame,
    similarity: float,
    cache: Path | None = None,
    workers: int | None = None,
) -> pl.DataFrame:
    """Return which recordings of ``train`` are copies of which of ``held``, by their hashes.

    Both have ``path`` and the columns of a fingerprint. The result has ``recording``, that of
    ``train``, its ``near_duplicate`` in ``held``, and their ``similarity``, at least the one asked
    for. Recordings that are the same, sample by sample, are not among them.
    """
    pairs = candidates(train, held)
    pairs = pairs.hstack(similarities(pairs, cache, workers))
    return pairs.drop("path", "held_path").filter(pl.col("similarity") >= similarity)


def candidates(train: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of recordings that may be copies, the likeliest ``MOST_PAIRS``.

    Columns: ``path`` and ``recording`` of ``train``; ``held_path``, and ``near_duplicate`` for the
    recording of ``held``.
    """
    rows = _alike(train, held)
    ours = train[rows["row"]].select("path", "recording")
    theirs = held[rows["held_row"]].select(held_path="path", near_duplicate="recording")
    pairs = ours.hstack(theirs).select("path", "held_path", "recording", "near_duplicate")
    return pairs.filter(pl.col("recording") != pl.col("near_duplicate"))


def _alike(train: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return which rows of the two have keys in like contexts: ``row``, ``held_row``.

    The likeliest are those with most such ``keys``, and then those with the least ``unlike``
    contexts. A recording that several rows have is looked for in the first of them.
    """
    # With two bits in doubt, a copy has one of four keys; x & (x - 1) is x less its lowest bit.
    doubts = pl.col("doubts")
    flips = (pl.lit(0, pl.UInt32), doubts, doubts & (doubts - 1), doubts ^ (doubts & (doubts - 1)))
    asked = _keys(_recordings(held, "doubts"), "doubts").rename({"row": "held_row"})
    asked = pl.concat(
        asked.select("held_row", key=pl.col("key") ^ flip, held_context="context") for flip in flips
    )
    # Tables of all keys there can be: smaller than hash tables of the keys there are.
    wanted = np.zeros(2**KEY_BITS, dtype=bool)
    wanted[asked["key"]] = True
    had = np.zeros(2**KEY_BITS, dtype=np.uint32)
    recordings = _recordings(train)
    for portion in recordings.iter_slices(PORTION):
        np.add.at(had, _keys(portion)["key"].to_numpy(), 1)
    wanted &= (had > 0) & (had <= MOST_RECORDINGS)
    asked = asked.filter(pl.Series(wanted[asked["key"]]))
    unlike = (pl.col("context") ^ pl.col("held_context")).bitwise_count_ones()
    pairs, found = pl.DataFrame(schema=dict.fromkeys(PAIR, pl.UInt32)), 0
    for portion in recordings.iter_slices(PORTION):
        keys = _keys(portion)
        hits = keys.filter(pl.Series(wanted[keys["key"]])).join(asked, on="key")
        hits = hits.select("row", "held_row", unlike=unlike).filter(pl.col("unlike") <= UNLIKE)
        alike = hits.group_by("row", "held_row").agg(pl.col("unlike").min(), keys=pl.len())
        found += alike.height
        pairs = pl.concat([pairs, alike.select(PAIR).cast(pl.UInt32)])
        pairs = pairs.sort(-pl.col("keys").cast(int), "unlike", "row", "held_row")[:MOST_PAIRS]
    if found > MOST_PAIRS:
        message = "overlap: of %d pairs that may be near-duplicates, the likeliest %d are compared"
        log.warning(message, found, MOST_PAIRS)
    return pairs.sort("row", "held_row")


def _recordings(utterances: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The keys of recordings that could be read, each once, by ``row`` of ``utterances``."""
    first = pl.col("recording").is_first_distinct() & pl.col("recording").is_not_null()
    return (
        utterances.select("recording", "keys", "contexts", *columns)
        .with_row_index("row")
        .filter(first)
        .drop("recording")
    )


def _keys(recordings: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """One key in a row."""
    exploded = recordings.explode("keys", "contexts", *columns).drop_nulls()
    return exploded.rename({"keys": "key", "contexts": "context"})
