"""What the headers of many files of audio or features say, each read once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import polars as pl

from kaskad.audio.frames import read_signal_header
from kaskad.audio.measurements import CHUNK, identities, remembered
from kaskad.audio.reading import AudioError

HEADER = {
    "duration": pl.Float64,
    "sample_rate": pl.Int64,
    "channels": pl.Int64,
    "problem": pl.String,
}


def inspect(paths: Sequence[str], cache: Path | None = None) -> pl.DataFrame:
    """Return ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``problem`` of each path.

    Of features, these are seconds, frames a second and bins. ``problem`` is null, or why
    there is nothing to be had. With ``cache``, a folder, the headers of these paths are kept there,
    and read anew only where a file's size or time has changed.
    """
    return remembered(identities(paths), HEADER, _headers, _cache_file(paths, cache))


def _headers(unread: pl.DataFrame) -> pl.DataFrame:
    with ThreadPoolExecutor(max_workers=8) as pool:
        headers = list(pool.map(_header, unread["path"], chunksize=CHUNK))
    return pl.DataFrame(headers, schema=HEADER, orient="row")


def _header(path: str) -> tuple[float | None, int | None, int | None, str | None]:
    try:
        header = read_signal_header(path)
    except AudioError as error:
        return None, None, None, str(error)
    return header.seconds, header.sample_rate, header.channels, None


def _cache_file(paths: Sequence[str], cache: Path | None) -> Path | None:
    """One file for one list of paths: a corpus that grows begins another."""
    if cache is None:
        return None
    digest = sha256("\0".join(paths).encode()).hexdigest()[:16]
    return cache / f"{digest}.parquet"
