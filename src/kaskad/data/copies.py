"""Recordings of which one is a copy of the other: re-encoded, trimmed, resampled or louder."""

import logging
from pathlib import Path

import polars as pl

from kaskad.audio.fingerprints import similarities

log = logging.getLogger(__name__)

MOST_PAIRS = 50_000  # whose waveforms are compared
MOST_RECORDINGS = 100  # that have a key: one of more tells nothing


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
    if pairs.height > MOST_PAIRS:  # one key in common is a hint among few, and chance among many
        pairs = pairs.filter(pl.col("keys") > 1)
    if pairs.height > MOST_PAIRS:
        left_out = pairs.height - MOST_PAIRS
        log.warning("overlap: %d pairs that may be near-duplicates were not compared", left_out)
        pairs = pairs.top_k(MOST_PAIRS, by="keys")
    pairs = pairs.select("path", "held_path", "recording", "near_duplicate")
    pairs = pairs.hstack(similarities(pairs, cache, workers))
    return pairs.drop("path", "held_path").filter(pl.col("similarity") >= similarity)


def candidates(train: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of recordings that have keys in common, and how many ``keys``.

    Columns: ``path`` and ``recording`` of ``train``; ``held_path``, and ``near_duplicate`` for the
    recording of ``held``.
    """
    train, held = _recordings(train), _recordings(held)
    # With two bits in doubt, a copy has one of four keys; x & (x - 1) is x less its lowest bit.
    higher = pl.col("doubts") & (pl.col("doubts") - 1)
    flips = pl.concat_list(pl.lit(0, pl.UInt32), "doubts", higher, pl.col("doubts") ^ higher)
    probes = held.select("row", "keys", "doubts").explode("keys", "doubts").drop_nulls()
    probes = probes.select("row", flips=flips, key="keys").explode("flips")
    probes = probes.select("row", key=pl.col("key") ^ pl.col("flips")).unique()
    kept = train.select("row", key="keys").explode("key").unique()
    kept = kept.join(probes, on="key", how="semi").filter(pl.len().over("key") <= MOST_RECORDINGS)
    shared = kept.join(probes, on="key", suffix="_held").group_by("row", "row_held")
    pairs = shared.agg(keys=pl.len()).sort("row", "row_held")
    theirs = held.select(row_held="row", held_path="path", near_duplicate="recording")
    ours = train.select("row", "path", "recording")
    return (
        pairs.join(ours, on="row", maintain_order="left")
        .join(theirs, on="row_held", maintain_order="left")
        .filter(pl.col("recording") != pl.col("near_duplicate"))
        .drop("row", "row_held")
    )


def _recordings(utterances: pl.DataFrame) -> pl.DataFrame:
    """The recordings that could be read, each once."""
    recordings = utterances.select("path", "recording", "keys", "doubts").drop_nulls("recording")
    return recordings.unique("recording", keep="first", maintain_order=True).with_row_index("row")
