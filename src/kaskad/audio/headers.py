"""What the headers of many files of audio or features say, each read once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import polars as pl
from rich.progress import track

from kaskad.audio.cache import CHUNK, file_for, file_stats, remembered
from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import read_signal_header

HEADER = {
    "duration": pl.Float64,
    "sample_rate": pl.Int64,
    "channels": pl.Int64,
    "problem": pl.String,
    "doubt": pl.String,
}
PORTION = 20_000  # files after which what was read is kept
WORTH_A_BAR = 1000  # files; fewer are read in less than a second

Row = tuple[float | None, int | None, int | None, str | None, str | None]


def inspect(paths: Sequence[str], cache: Path | None = None) -> pl.DataFrame:
    """Return ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``problem``, ``doubt`` of each
    path.

    Of features, these are seconds, frames a second and bins. ``problem`` is null, or why there is
    nothing to be had; ``doubt`` is null, or why this may not be all of the recording. With
    ``cache``, a folder, the headers of these paths are kept there, and read anew only where a
    file's size or time has changed, or there was a problem.
    """
    kept = None if cache is None else file_for(paths, cache)
    failed = pl.col("problem").is_not_null()
    return remembered(file_stats(paths), HEADER, _headers, kept, PORTION, failed)


def _headers(unread: pl.DataFrame) -> pl.DataFrame:
    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = chain.from_iterable(pool.map(_rows, unread.iter_slices(CHUNK)))
        total = unread.height
        shown = track(rows, "reading headers", total, transient=True, disable=total < WORTH_A_BAR)
        return pl.DataFrame(list(shown), schema=HEADER, orient="row")


def _rows(unread: pl.DataFrame) -> list[Row]:
    return [_row(path) for path in unread["path"]]


def _row(path: str) -> Row:
    try:
        header = read_signal_header(path)
    except AudioError as error:
        return None, None, None, str(error), None
    return header.seconds, header.sample_rate, header.channels, None, header.doubt
