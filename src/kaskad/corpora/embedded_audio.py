"""Parquet tables that hold the audio itself, as Hugging Face has its data sets.

https://huggingface.co/docs/hub/datasets-audio: a column of records with ``bytes`` and ``path``.
"""

import logging
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.audio.media import kind_of
from kaskad.corpora.text_files import ManifestError
from kaskad.storage.tables import parquet_schema, parts_of_parquet, write_parquet

log = logging.getLogger(__name__)

MANIFEST = "manifest.parquet"
PORTION = 200  # rows that are in memory at a time
HELD = (pl.Binary, pl.Null)  # files; or none in any row
# How files begin, for audio that comes without a name.
BEGINNINGS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"FORM": ".aiff"}
BY_FFMPEG = {"mov": ".m4a", "matroska": ".webm", "amr": ".amr", "aac": ".aac", "asf": ".wma"}


def audio_column(path: Path) -> str | None:
    """Return which column of a Parquet table holds files of audio, if one does."""
    try:
        schema = parquet_schema(path) if path.suffix.lower() == ".parquet" else {}
    except (ValueError, OSError):  # whoever reads it says what is wrong
        return None
    for name, kind in schema.items():
        fields = kind.fields if isinstance(kind, pl.Struct) else []
        has_bytes = any(field.name == "bytes" and field.dtype in HELD for field in fields)
        if has_bytes or (kind == pl.Binary and name.lower() in ("audio", "wav", "bytes")):
            return name
    return None


def unpack_audio(path: Path, column: str, folder: Path | None) -> Path:
    """Write the audio of a table as files, once, and return the manifest beside them.

    They lie in a folder of ``folder`` that is named after the table, and are written anew where the
    table has changed. Raises ``ManifestError`` where there is no ``folder``, or the table is torn.
    """
    if folder is None:
        raise ManifestError(
            f"{path}: the audio lies inside the table (column '{column}'): name a folder in which "
            "to write it as files (data=table data.unpacked=…)"
        )
    status = path.stat()
    key = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    place = folder.resolve() / f"{path.stem}-{sha256(key.encode()).hexdigest()[:12]}"
    if not (place / MANIFEST).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        log.info("%s: writing the audio of its column '%s' to %s", path, column, place)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{path.stem}-") as beside:
            try:
                table = _write_files(path, column, Path(beside, place.name))
            except ValueError as error:
                raise ManifestError(str(error)) from error
            write_parquet(table, Path(beside, place.name, MANIFEST))
            shutil.rmtree(place, ignore_errors=True)
            os.replace(Path(beside, place.name), place)
    return place / MANIFEST


def _write_files(path: Path, column: str, folder: Path) -> pl.DataFrame:
    """Write each row's audio; returns the other columns, with ``path`` and ``id``."""
    folder.mkdir()
    parts: list[pl.DataFrame] = []
    names: list[str] = []
    problems: list[str | None] = []
    for part in parts_of_parquet(path, PORTION):
        for row, audio in enumerate(part[column].to_list(), start=len(names)):
            content, given = _content(audio)
            name = f"{path.stem}-{row:06d}{_suffix(content, given)}"
            if content is not None:
                (folder / name).write_bytes(content)
            names.append(name)
            named = f", only its name: {given}" if given else ""
            problems.append(f"the table has no audio here{named}" if content is None else None)
        parts.append(part.drop(column))
    table = pl.concat(parts) if parts else pl.DataFrame(schema=parquet_schema(path)).drop(column)
    given_names = table["path"] if "path" in table.columns else pl.Series(names, dtype=pl.String)
    table = table.with_columns(path=pl.Series(names, dtype=pl.String))
    if any(problems):
        table = table.with_columns(problem=pl.Series(problems, dtype=pl.String))
    if "id" not in table.columns and given_names.is_unique().all():
        table = table.with_columns(id=given_names.cast(pl.String))
    return table


def _content(audio: Any) -> tuple[bytes | None, str]:
    if isinstance(audio, dict):
        return audio.get("bytes"), audio.get("path") or ""
    return audio, ""


def _suffix(content: bytes | None, given: str) -> str:
    suffix = PurePosixPath(given).suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        return suffix
    for beginning, known in BEGINNINGS.items():
        if content is not None and content.startswith(beginning):
            return known
    if content is not None and (kind := kind_of(content[:256])):
        return BY_FFMPEG.get(kind, f".{kind}")
    return ".mp3"  # frames of MP3 may begin at once
