"""A corpus of several tables, one a part: Common Voice, NeMo, and what is laid out like them."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import ManifestError, read_manifest


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
