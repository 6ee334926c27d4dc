"""What is looked at before the first step, so that nothing fails an hour into a run.

Every check divides a manifest into what can be used and what is set aside, with the reason.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Protocol

import numpy as np
import polars as pl

from kaskad.audio.reading import inspect
from kaskad.text.normalisation import normalise


class DataError(ValueError):
    """The data cannot serve for this run: says what is wrong and what to do."""


class Tokenizer(Protocol):
    """The side of a tokenizer that the checks need."""

    def encode(self, text: str) -> list[int]: ...

    def unknown(self, text: str) -> set[str]: ...


def check_audio(
    manifest: pl.DataFrame, *, min_seconds: float, max_seconds: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Normalise transcripts, read the headers of the audio, and set aside what cannot be used.

    Returns the usable rows, with ``duration`` (s), ``sample_rate`` (Hz) and ``channels`` as
    measured, and the rest with a ``reason`` that names the file.
    """
    headers = inspect(manifest["path"].to_list())
    known = manifest.drop("duration", "sample_rate", "channels", strict=False)
    table = known.hstack(headers).with_columns(text=normalise(pl.col("text")))
    too_long = pl.format(
        "{} s, longer than max_seconds={}", pl.col("duration").round(1), max_seconds
    )
    too_short = pl.format(
        "{} s, shorter than min_seconds={}", pl.col("duration").round(3), min_seconds
    )
    reason = (
        pl.when(pl.col("problem").is_not_null())
        .then(pl.col("problem"))
        .when(pl.col("text").is_null() | (pl.col("text") == ""))
        .then(pl.lit("the transcript is empty"))
        .when(pl.col("duration") > max_seconds)
        .then(too_long)
        .when(pl.col("duration") < min_seconds)
        .then(too_short)
    )
    return _divide(table.with_columns(reason=reason).drop("problem"))


def check_alignable(
    manifest: pl.DataFrame,
    tokenizer: Tokenizer,
    frames_of: Callable[[np.ndarray], np.ndarray],
    sample_rate: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set aside what CTC cannot align: it needs a frame for each label, and one between equals.

    ``frames_of`` gives the encoder's frames for a number of samples at ``sample_rate`` Hz.
    """
    frames = frames_of((manifest["duration"].to_numpy() * sample_rate).round().astype(np.int64))
    needed = np.array([_frames_needed(tokenizer.encode(text)) for text in manifest["text"]])
    table = manifest.with_columns(frames=frames, needed=needed)
    reason = pl.when(pl.col("frames") < pl.col("needed")).then(
        pl.format("CTC needs {} frames for the transcript, there are {}", "needed", "frames")
    )
    return _divide(table.with_columns(reason=reason).drop("frames", "needed"))


def unknown_characters(texts: Iterable[str], tokenizer: Tokenizer) -> dict[str, int]:
    """Count the transcripts that hold each character outside the alphabet."""
    counts: dict[str, int] = {}
    for text in texts:
        for character in tokenizer.unknown(text):
            counts[character] = counts.get(character, 0) + 1
    return dict(sorted(counts.items()))


def _frames_needed(labels: list[int]) -> int:
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def _divide(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    usable = table.filter(pl.col("reason").is_null()).drop("reason")
    rest = table.filter(pl.col("reason").is_not_null())
    return usable, rest.with_columns(reason=pl.format("{}: {}", "path", "reason"))
