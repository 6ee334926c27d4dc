"""Any corpus that comes as tables: a manifest, a folder that holds one, or a table a part."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import read_manifest, refuse_repeated_ids
from kaskad.corpora.splits import Speakers, select_split
from kaskad.corpora.text_files import ManifestError

NAMES = ("manifest", "metadata")
MANIFEST_NAMES = tuple(
    f"{name}.{suffix}" for name in NAMES for suffix in ("parquet", "jsonl", "tsv", "csv")
)
# How Hugging Face names the files of a data set: train-00000-of-00003.parquet.
PIECE = re.compile(r"(.+)-\d{5}-of-\d{5}\.parquet")


def read_table(
    root: str | Path,
    split: str,
    *,
    language: str | None = None,
    audio_root: str | Path | None = None,
    leave_out: str | None = None,
    validate_on: Speakers = None,
    unpacked: str | Path | None = None,
) -> pl.DataFrame:
    """Return the rows of one ``split`` (train, validation, test, or all) of a table.

    ``root`` is a manifest, or a folder with a manifest (or metadata).{parquet,jsonl,tsv,csv}, or
    with the Parquet files of a data set of Hugging Face, whose names say their split.
    ``select_split`` describes how rows are chosen, and ``read_manifest`` the columns.

    Args:
        root: the table, or its folder.
        split: of which rows are wanted.
        language: of all rows, where the table does not say it.
        audio_root: the folder that all audio lies in (None: that of the table).
        leave_out: a speaker who is the whole test.
        validate_on: speakers who are the whole validation, or a share of those not tested.
        unpacked: a folder for audio that lies inside the table, where it is written as files.

    Raises ``ManifestError`` as ``read_manifest`` does, and where no row is in any part.
    """
    read = partial(
        read_manifest,
        language=language,
        audio_root=Path(audio_root) if audio_root else None,
        unpacked=Path(unpacked) if unpacked else None,
    )
    pieces = _pieces(Path(root))
    if not pieces:
        path = find_manifest(Path(root))
        return select_split(read(path), split, path, leave_out, validate_on)
    tables = [read(path).with_columns(split=pl.lit(name)) for path, name in pieces.items()]
    everything = pl.concat(tables, how="diagonal_relaxed")
    refuse_repeated_ids(everything, Path(root))
    return select_split(everything, split, Path(root), leave_out, validate_on)


def _pieces(root: Path) -> dict[Path, str]:
    """The Parquet files of a data set of Hugging Face, each with its split."""
    folder = root / "data" if (root / "data").is_dir() else root
    found = {path: PIECE.fullmatch(path.name) for path in sorted(folder.glob("*.parquet"))}
    return {path: match[1] for path, match in found.items() if match}


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
    """Return the file that ``files`` names for ``split``; raises as ``read_tables`` does."""
    if split not in files:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(files)}")
    path = Path(root, files[split]).absolute()
    if not path.is_file():
        raise FileNotFoundError(
            f"no table {path}; say where the corpus is with data.root=…, and what its tables are "
            f"called with data.source.files.{split}=…"
        )
    return path


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
