"""Any corpus that comes as a table: a manifest, or a folder that holds one."""

import logging
from collections.abc import Iterable, Mapping
from hashlib import md5
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import ManifestError, read_manifest

log = logging.getLogger(__name__)

MANIFEST_NAMES = ("manifest.parquet", "manifest.jsonl", "manifest.tsv", "manifest.csv")
SPLIT_NAMES = {"val": "validation", "dev": "validation", "valid": "validation"}
PARTS = ("train", "validation", "test")
SHOWN_SPLITS = 5


def read_table(
    root: str | Path,
    split: str,
    *,
    language: str | None = None,
    audio_root: str | Path | None = None,
    leave_out: str | None = None,
) -> pl.DataFrame:
    """Return the rows of one ``split`` (train, validation, test, or all) of a table.

    ``root`` is a manifest, or a folder with a manifest.{parquet,jsonl,tsv,csv}. Splits come from
    its ``split`` column (val, dev and valid mean validation, in any case); rows of any other
    split are counted in a warning. A table without that column is divided 80/10/10 by speaker, or
    by utterance where there are fewer than three: always the same way, with at least one in each
    part. Utterances of unknown speakers are divided one by one.
    With ``leave_out`` the test split is all of that speaker, and nobody else's split has them.

    Raises ``ManifestError`` as ``read_manifest`` does, and where no row is in any part.
    """
    path = find_manifest(Path(root))
    everything = read_manifest(
        path, language=language, audio_root=Path(audio_root) if audio_root else None
    )
    return select_split(everything, split, path, leave_out)


def find_manifest(root: Path) -> Path:
    """Return the manifest that ``root`` is or holds; raises ``FileNotFoundError`` if none is."""
    candidates = [root, *(root / name for name in MANIFEST_NAMES)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
    raise FileNotFoundError(
        f"no manifest at {root}: looked for a table there and for {', '.join(MANIFEST_NAMES)} "
        "in that folder. Say where it is with data.root=…; it needs the columns path and text."
    )


def select_split(
    everything: pl.DataFrame, split: str, path: Path, leave_out: str | None = None
) -> pl.DataFrame:
    """Return the rows of ``split``, as ``table`` describes."""
    if split not in (*PARTS, "all"):
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(PARTS)}, all")
    if "split" not in everything.columns:
        everything = _divide(everything)
    everything = name_parts(everything)
    if leave_out is not None:
        everything = _leave_out(everything, leave_out, path)
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
    told = (
        f"{path}: {others.height} of {everything.height} rows are in no part, for their split is "
        f"{named}{more} (first: {others['id'][0]}); it can be {', '.join(PARTS)} (or "
        f"{', '.join(SPLIT_NAMES)})"
    )
    if others.height == everything.height:
        raise ManifestError(f"{told}; without that column the table would be divided")
    log.warning(told)


def _divide(everything: pl.DataFrame) -> pl.DataFrame:
    speakers = pl.Series(dtype=pl.String)
    if "speaker" in everything.columns:
        speakers = everything["speaker"].drop_nulls().unique()
    if len(speakers) < len(PARTS):
        parts = _parts(everything["id"].unique(), fewest=1)
        return everything.with_columns(split=_part_of("id", parts))
    unknown = everything.filter(pl.col("speaker").is_null())["id"].unique()
    by_speaker = _part_of("speaker", _parts(speakers, fewest=1))
    by_utterance = _part_of("id", _parts(unknown, fewest=0))
    return everything.with_columns(split=pl.coalesce(by_speaker, by_utterance))


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
    speakers: list[str] = []
    if "speaker" in everything.columns:
        speakers = everything["speaker"].drop_nulls().unique().sort().to_list()
    if speaker not in speakers:
        raise ManifestError(
            f"{path}: no speaker '{speaker}' to leave out; speakers: {', '.join(speakers)}"
        )
    others = pl.col("split").replace({"test": "validation"})
    return everything.with_columns(
        split=pl.when(pl.col("speaker") == speaker).then(pl.lit("test")).otherwise(others)
    )


def read_tables(
    root: str | Path,
    split: str,
    *,
    files: Mapping[str, str],
    language: str | None = None,
    audio_root: str | Path | None = None,
) -> pl.DataFrame:
    """Return the table that ``files`` names for ``split``, read as ``read_manifest`` does.

    ``audio_root`` is relative to ``root``; without it audio lies beside the table.

    Raises ``FileNotFoundError`` where the table is not, and ``ManifestError`` as ``read_manifest``
    does, or for a split that ``files`` has not.
    """
    path = table_of(root, split, files)
    folder = None if audio_root is None else Path(root, audio_root)
    return read_manifest(path, language=language, audio_root=folder)


def table_of(root: str | Path, split: str, files: Mapping[str, str]) -> Path:
    """Return the file that ``files`` names for ``split``; raises as ``tables`` does."""
    if split not in files:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(files)}")
    path = Path(root, files[split]).absolute()
    if not path.is_file():
        raise FileNotFoundError(
            f"no table {path}; say where the corpus is with data.root=…, and what its tables are "
            f"called with data.source.files.{split}=…"
        )
    return path
