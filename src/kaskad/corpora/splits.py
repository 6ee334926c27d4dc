"""The parts of a corpus: which rows train, validate and test."""

import functools
import logging
from collections.abc import Iterable, Sequence
from hashlib import md5
from pathlib import Path

import polars as pl

from kaskad.corpora.text_files import ManifestError

log = logging.getLogger(__name__)

SPLIT_NAMES = {"val": "validation", "dev": "validation", "valid": "validation"}
PARTS = ("train", "validation", "test")
SHOWN_SPLITS = 5
# One speaker, several, or a share of them.
Speakers = str | Sequence[str] | float | None


def select_split(
    everything: pl.DataFrame,
    split: str,
    path: Path,
    leave_out: str | None = None,
    validate_on: Speakers = None,
) -> pl.DataFrame:
    """Return the rows of ``split`` (train, validation, test, or all).

    Splits are those of the column ``split``, where val, dev and valid mean validation, in any case;
    rows of any other split are counted in a warning. A table without that column is divided
    80/10/10 by speaker, or by utterance where there are fewer than three, and says so: always the
    same way, with at least one in each part. Utterances of unknown speakers are divided one by one.
    With ``leave_out`` the test split is all of that speaker, and nobody else's split has them.
    With ``validate_on`` the same holds of validation and these speakers, or that share of those who
    are not tested; everybody else trains.

    Args:
        everything: all rows.
        split: of which rows are wanted.
        path: of the table or the folder, for messages.
        leave_out: a speaker.
        validate_on: one speaker, several, or a share of them, as 0.2.

    Raises ``ManifestError`` for an unknown split or speaker, and where no row is in any part.
    """
    if split not in (*PARTS, "all"):
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(PARTS)}, all")
    if "split" not in everything.columns:
        everything = _divide(everything, path)
    everything = name_parts(everything)
    if leave_out is not None:
        everything = _leave_out(everything, leave_out, path)
    if validate_on is not None:
        everything = _validate_on(everything, validate_on, path)
    if split == "all":
        return everything
    _tell_of_others(everything, path)
    return everything.filter(pl.col("split") == split)


def name_parts(everything: pl.DataFrame) -> pl.DataFrame:
    """Write ``split`` as one of ``PARTS`` where it means one; any other stays as it is."""
    part = pl.col("split").str.strip_chars().str.to_lowercase().replace(SPLIT_NAMES)
    return everything.with_columns(split=pl.when(part.is_in(PARTS)).then(part).otherwise("split"))


def _tell_of_others(everything: pl.DataFrame, path: Path) -> None:
    """Warn of rows that are in none of ``PARTS``; raises ``ManifestError`` if no row is in any."""
    others = everything.filter(~pl.col("split").is_in(PARTS).fill_null(False))
    if others.is_empty():
        return
    splits = others["split"].fill_null("").unique(maintain_order=True)
    named = ", ".join(f"'{name}'" for name in splits.head(SHOWN_SPLITS))
    more = ", …" if splits.len() > SHOWN_SPLITS else ""
    message = (
        f"{path}: {others.height} of {everything.height} rows are in no part, for their split is "
        f"{named}{more} (first: {others['id'][0]}); it can be {', '.join(PARTS)} (or "
        f"{', '.join(SPLIT_NAMES)})"
    )
    if others.height == everything.height:
        raise ManifestError(f"{message}; without that column the table would be divided")
    log.warning(message)


def _divide(everything: pl.DataFrame, path: Path) -> pl.DataFrame:
    speakers = pl.Series(dtype=pl.String)
    if "speaker" in everything.columns:
        speakers = everything["speaker"].drop_nulls().unique()
    if len(speakers) < len(PARTS):
        parts = _parts(everything["id"].unique(), fewest=1)
        divided = everything.with_columns(split=_part_of("id", parts))
        _tell_how(divided, path, "utterance")
        return divided
    unknown = everything.filter(pl.col("speaker").is_null())["id"].unique()
    by_speaker = _part_of("speaker", _parts(speakers, fewest=1))
    by_utterance = _part_of("id", _parts(unknown, fewest=0))
    divided = everything.with_columns(split=pl.coalesce(by_speaker, by_utterance))
    _tell_how(divided, path, "speaker")
    return divided


def _tell_how(divided: pl.DataFrame, path: Path, unit: str) -> None:
    counts = dict(divided["split"].value_counts().rows())
    sizes = ", ".join(f"{counts.get(part, 0)} {part}" for part in PARTS)
    _tell_once(
        f"{path}: nothing says which rows train and test, so they were divided by {unit}: "
        f"{sizes}; a column split would say it"
    )


@functools.cache
def _tell_once(message: str) -> None:
    """Each part of a corpus is read by itself, but each finding is reported once."""
    log.info(message)


def _part_of(column: str, parts: dict[str, str]) -> pl.Expr:
    return pl.col(column).replace_strict(parts, default=None, return_dtype=pl.String)


def _parts(names: Iterable[str], fewest: int) -> dict[str, str]:
    """The part of each name, with at least ``fewest`` in validation and test."""
    # The rank of a stable hash: the parts keep their sizes, and the same rows, on any machine.
    order = sorted(names, key=lambda name: md5(str(name).encode()).digest())
    held_out = max(fewest, len(order) // 10)
    parts = ["validation"] * held_out + ["test"] * held_out
    return dict(zip(order, parts + ["train"] * len(order), strict=False))


def _leave_out(everything: pl.DataFrame, speaker: str, path: Path) -> pl.DataFrame:
    _require_speakers(everything, [speaker], "leave out", path)
    others = pl.col("split").replace({"test": "validation"})
    return everything.with_columns(
        split=pl.when(pl.col("speaker") == speaker).then(pl.lit("test")).otherwise(others)
    )


def _validate_on(everything: pl.DataFrame, chosen: Speakers, path: Path) -> pl.DataFrame:
    if isinstance(chosen, float):
        untested = everything.filter(pl.col("split") != "test")
        names = _speakers(untested)
        count = max(1, round(chosen * len(names)))
        if not 0.0 < chosen < 1.0 or count >= len(names):
            raise ManifestError(
                f"{path}: validate_on is {chosen:g} of the speakers: give a share above 0 that "
                f"leaves some of them to train on; there are {len(names)} who are not tested"
            )
        chosen = sorted(names, key=lambda name: md5(name.encode()).digest())[:count]
    chosen = [chosen] if isinstance(chosen, str) else [str(name) for name in chosen or []]
    _require_speakers(everything, chosen, "validate on", path)
    tested = pl.col("split") == "test"
    if both := _speakers(everything.filter(tested & pl.col("speaker").is_in(chosen))):
        raise ManifestError(
            f"{path}: validate_on names {', '.join(both)}, who {'is' if len(both) == 1 else 'are'} "
            "tested: choose speakers of the training part"
        )
    validated = pl.col("speaker").is_in(chosen).fill_null(False)
    return everything.with_columns(
        split=pl.when(tested.fill_null(False))
        .then("split")
        .when(validated)
        .then(pl.lit("validation"))
        .otherwise(pl.col("split").replace({"validation": "train"}))
    )


def _require_speakers(
    everything: pl.DataFrame, wanted: Sequence[str], purpose: str, path: Path
) -> None:
    speakers = _speakers(everything)
    for speaker in wanted:
        if speaker not in speakers:
            raise ManifestError(
                f"{path}: no speaker '{speaker}' to {purpose}; speakers: {', '.join(speakers)}"
            )


def _speakers(everything: pl.DataFrame) -> list[str]:
    if "speaker" not in everything.columns:
        return []
    return everything["speaker"].drop_nulls().unique().sort().to_list()
