"""What is looked at before the first step, so that nothing fails an hour into a run.

Every check divides a manifest into what can be used and what is set aside, with the reason.
"""

import logging
from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import polars as pl

from kaskad.audio.files import AudioError
from kaskad.audio.headers import inspect
from kaskad.audio.levels import levels
from kaskad.audio.precomputed import HIGHEST_RATE, PATTERN, read_signal, read_signal_header
from kaskad.text.genders import normalise_gender
from kaskad.text.normalisation import NOTES, normalise_transcripts, notes
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

# The columns that can be recognised: how each is normalised, and what is wrong where that leaves
# nothing.
TARGETS: dict[str, tuple[Callable[[pl.DataFrame], pl.Series], str]] = {
    "text": (normalise_transcripts, "the transcript is empty"),
    "gender": (
        lambda manifest: manifest.select(normalise_gender(pl.col("gender"))).to_series(),
        "the gender is missing, or neither female nor male",
    ),
}

# By how much a length in a manifest may differ from that of its recording: seconds, and a share.
TOLERANCE, SHARE = 0.2, 0.05

SHOWN = 20  # of the units that no label stands for

# Whether a row names features rather than audio.
IS_FRAMES = pl.col("path").str.contains(PATTERN)


class DataError(ValueError):
    """The data cannot serve for this run: says what is wrong and what to do."""


def check_audio(
    manifest: pl.DataFrame,
    *,
    min_seconds: float,
    max_seconds: float,
    cache: Path | None = None,
    target: str = "text",
    keep_empty: bool = False,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Normalise transcripts, read the headers of the audio, and set aside what cannot be used.

    Returns the usable rows, with ``duration`` (s), ``sample_rate`` (Hz) and ``channels`` as
    measured, and the rest with a ``reason`` that names the file. What was measured is kept in the
    folder ``cache``. The column ``target`` becomes the transcript; raises ``DataError`` where there
    is none. With ``keep_empty`` an utterance may have no words, as of silence or noise: its
    transcript is then "".
    """
    if target not in manifest.columns:
        first = next(iter(manifest["path"]), "an empty table")
        raise DataError(
            f"the manifest of {first}, … has no column '{target}', which this model recognises, "
            f"only {', '.join(manifest.columns)}; add it, or choose another corpus or model"
        )
    normalise_target, fault = TARGETS[target]
    if target == "text":
        _tell_of_notes(manifest)
    headers = inspect(manifest["path"].to_list(), cache)
    problem = headers["problem"]
    doubt = _confirmed_doubt(headers, manifest)
    known = manifest.drop("duration", "sample_rate", "channels", strict=False)
    table = known.hstack(headers.drop("problem", "doubt"))
    table = table.with_columns(normalise_target(table).alias("text"))
    if keep_empty:
        table = table.with_columns(pl.col("text").fill_null(""))
    is_empty = pl.col("text").is_null() | (pl.col("text") == "")
    seconds = pl.col("duration")
    was = pl.Series(manifest[target].cast(pl.String).str.strip_chars())
    written = pl.when(was != "").then(pl.format("{}: '{}'", pl.lit(fault), was))
    given = pl.col("problem") if "problem" in known.columns else pl.lit(None, pl.String)
    reason = (
        pl.when(given.is_not_null())  # the corpus knows better why
        .then(given)
        .when(problem.is_not_null())
        .then(problem)
        .when(doubt.is_not_null())
        .then(doubt)
        .when(is_empty & (not keep_empty))
        .then(pl.coalesce(written, pl.lit(fault)))
        .when(seconds > max_seconds)
        .then(pl.format("{} s, longer than max_seconds={}", seconds.round(1), max_seconds))
        .when(seconds < min_seconds)
        .then(pl.format("{} s, shorter than min_seconds={}", seconds.round(3), min_seconds))
    )
    return _divide(table, reason)


def _confirmed_doubt(headers: pl.DataFrame, manifest: pl.DataFrame) -> pl.Series:
    """Why a recording may not be all that was transcribed, unless the manifest has its length; what
    has another length than there is in the manifest is only warned of: many are rounded."""
    if "duration" not in manifest.columns:
        return headers["doubt"]
    stated = manifest["duration"].cast(pl.Float64, strict=False)
    differs = (stated - headers["duration"]).abs() > TOLERANCE + SHARE * headers["duration"]
    differing = manifest.filter(differs.fill_null(False) & headers["doubt"].is_null())
    if differing.height:
        first = differing["path"][0]
        seconds = headers.filter(differs.fill_null(False) & headers["doubt"].is_null())["duration"]
        log.warning(
            "%d of %d recordings do not last as long as the manifest says, such as %s: %s s "
            "instead of %s; what there is counts",
            differing.height,
            manifest.height,
            first,
            round(seconds[0], 2),
            differing["duration"][0],
        )
    agrees = ~differs.fill_null(True)
    return headers.select(pl.when(~agrees).then(pl.col("doubt")))["doubt"]


def check_content(
    usable: pl.DataFrame, rest: pl.DataFrame, cache: Path | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set aside, from what ``check_audio`` returned, recordings that cannot be decoded, too.

    Every file is read whole, once where there is a folder ``cache``.
    """
    is_lost = levels(usable["path"], cache)["level"].is_null()
    lost = usable.filter(is_lost & ~usable.select(IS_FRAMES).to_series())
    reasons = [why_unreadable(path) for path in lost["path"]]
    lost = lost.with_columns(reason=pl.Series(reasons, dtype=pl.String))
    kept = usable.join(
        lost.select("id", "path"), on=["id", "path"], how="anti", maintain_order="left"
    )
    return kept, pl.concat([rest, lost], how="diagonal_relaxed")


def why_unreadable(path: str) -> str:
    """Return what is wrong with a recording that could not be read, with its path."""
    now = f"{path}: it could not be read a moment ago, and can be now: try once more"
    return fault_of_recording(path) or now


def fault_of_recording(path: str) -> str | None:
    """Return what is wrong with a recording, with its path; None where it can be read whole."""
    try:
        header = read_signal_header(path)
        read_signal(path, header.sample_rate)
    except (AudioError, OSError) as error:
        return f"{path}: {error}"
    return None


def _tell_of_notes(manifest: pl.DataFrame) -> None:
    """Say what normalisation has changed beside capitals and punctuation, and what it left."""
    found = notes(manifest)
    for kind, meaning in NOTES.items():
        texts = found.filter(note=kind)["written"]
        if len(texts):
            log.info(
                "%d of %d transcripts: %s ('%s')", len(texts), manifest.height, meaning, texts[0]
            )


def require_fitting(
    corpus: str, manifest: pl.DataFrame, sample_rate: int, varies_waveforms: bool = False
) -> None:
    """Raise ``DataError`` unless features go to a model of features, and audio to one of audio.

    ``sample_rate`` is what the model takes; ``varies_waveforms`` says that training augments them.
    """
    kinds = manifest.filter(IS_FRAMES).select("channels", "sample_rate").unique().sort(pl.all())
    if sample_rate <= HIGHEST_RATE and manifest.filter(~IS_FRAMES).height:
        raise DataError(
            f"corpus '{corpus}' is audio, and a model with features=precomputed takes ready "
            "features: train with features=log_mel or features=mfcc, or choose a corpus that comes "
            "as features, such as data=voxforge_ru_mfcc"
        )
    if kinds.is_empty():
        return
    listed = [f"{bins} values a frame, {rate} frames a second" for bins, rate in kinds.rows()]
    if len(listed) > 1:
        raise DataError(
            f"corpus '{corpus}' comes as features of several kinds ({'; '.join(listed)}): leave one"
        )
    bins, rate = kinds.row(0)
    if rate != sample_rate:
        raise DataError(
            f"corpus '{corpus}' comes as features ({listed[0]}), which this model does not take: "
            f"train with features=precomputed features.bins={bins} features.sample_rate={rate}"
        )
    if varies_waveforms:
        raise DataError(
            f"corpus '{corpus}' comes as features, and has no waveforms to augment: choose "
            "augment=spec, which covers parts of features, or augment=none"
        )


def note_conversions(corpus: str, manifest: pl.DataFrame, sample_rate: int) -> None:
    """Log how many files are changed as they are read, to ``sample_rate`` Hz and one channel."""
    resampled = manifest.filter(pl.col("sample_rate") != sample_rate)["sample_rate"]
    if len(resampled):
        rates = ", ".join(f"{rate} Hz" for rate in resampled.unique().sort())
        log.info(
            "%s: %d files are at %s; read at %d Hz", corpus, len(resampled), rates, sample_rate
        )
    mixed = manifest.filter((pl.col("channels") > 1) & ~IS_FRAMES).height
    if mixed:
        log.info("%s: %d files have several channels; read as their average", corpus, mixed)


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
    # A label for each character, all of them alike: no transcript needs more.
    needed = 2 * manifest["text"].str.len_chars().to_numpy().astype(np.int64)
    tight = np.flatnonzero(frames < needed)
    needed[tight] = [_frames_needed(tokenizer.encode(text)) for text in manifest["text"][tight]]
    reason = pl.when(pl.Series(frames < needed)).then(
        pl.format(
            "CTC needs {} frames for the transcript, there are {}",
            pl.Series(needed),
            pl.Series(frames),
        )
    )
    return _divide(manifest, reason)


def unknown_characters(texts: Iterable[str], tokenizer: Tokenizer) -> dict[str, int]:
    """Count the transcripts that hold each character outside the alphabet."""
    counts: dict[str, int] = {}
    for text in texts:
        for character in tokenizer.unknown(text):
            counts[character] = counts.get(character, 0) + 1
    return dict(sorted(counts.items()))


def tell_of_unknown(corpus: str, counts: dict[str, int]) -> None:
    """Warn of characters, words or phones that no label stands for: ``unknown_characters``."""
    listed = ", ".join(f"'{unit}' in {number}" for unit, number in islice(counts.items(), SHOWN))
    more = ", …" if len(counts) > SHOWN else ""
    message = "%s: no label stands for %d units of its transcripts (%s%s): they count as errors"
    log.warning(message, corpus, len(counts), listed, more)


def _frames_needed(labels: list[int]) -> int:
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def _divide(table: pl.DataFrame, reason: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without a reason, and the others with it; the manifest may have a column ``reason``."""
    reasons = table.select(reason=reason)["reason"]
    rest = table.filter(reasons.is_not_null())
    named = pl.format("{}: {}", "path", reasons.drop_nulls())
    return table.filter(reasons.is_null()), rest.with_columns(reason=named)
