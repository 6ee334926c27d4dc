"""What the headers of many audio files say, each read once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import polars as pl

from kaskad.audio.reading import AudioError, read_header

HEADER = {
    "duration": pl.Float64,
    "sample_rate": pl.Int64,
    "channels": pl.Int64,
    "problem": pl.String,
}
# A file that has these as before is taken to hold what it held.
IDENTITY = {"path": pl.String, "size": pl.Int64, "modified": pl.Int64}
CHUNK = 256  # files a thread is handed at once


def inspect(paths: Sequence[str], cache: Path | None = None) -> pl.DataFrame:
    """Return ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``problem`` of each path.

    ``problem`` is null, or why there is no audio to be had. With ``cache``, a folder, the headers
    of these paths are kept there, and read anew only where a file's size or time has changed.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(_identity, paths, chunksize=CHUNK))
    identities = pl.DataFrame(found, schema=IDENTITY, orient="row")
    kept = _cache_file(paths, cache)
    known = _known(kept)
    unread = identities.join(known, on=list(IDENTITY), how="anti").unique("path")
    if unread.height:
        with ThreadPoolExecutor(max_workers=8) as pool:
            headers = list(pool.map(_header, unread["path"], chunksize=CHUNK))
        read = unread.hstack(pl.DataFrame(headers, schema=HEADER, orient="row"))
        known = pl.concat([known, read]).unique(list(IDENTITY), keep="last")
        if kept:
            _keep(known, kept)
    table = identities.join(known, on=list(IDENTITY), how="left", maintain_order="left")
    return table.select(*HEADER)


def _identity(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns


def _header(path: str) -> tuple[float | None, int | None, int | None, str | None]:
    try:
        header = read_header(path)
    except AudioError as error:
        return None, None, None, str(error)
    return header.seconds, header.sample_rate, header.channels, None


def _known(kept: Path | None) -> pl.DataFrame:
    if kept is not None and kept.is_file():
        with suppress(pl.exceptions.PolarsError):  # a torn file: measure again
            return pl.read_parquet(kept)
    return pl.DataFrame(schema={**IDENTITY, **HEADER})


def _cache_file(paths: Sequence[str], cache: Path | None) -> Path | None:
    """One file for one list of paths: a corpus that grows begins another."""
    if cache is None:
        return None
    digest = sha256("\0".join(paths).encode()).hexdigest()[:16]
    return cache / f"{digest}.parquet"


def _keep(known: pl.DataFrame, file: Path) -> None:
    """Write beside, then rename: another run may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    known.write_parquet(partial)
    partial.replace(file)
