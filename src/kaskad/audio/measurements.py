"""What was measured of audio files, kept: it is measured anew only where a file has changed."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

# A file that has these as before is taken to hold what it held.
IDENTITY = {"path": pl.String, "size": pl.Int64, "modified": pl.Int64}
CHUNK = 256  # files a thread is handed at once


def identities(paths: Sequence[str]) -> pl.DataFrame:
    """Return the ``IDENTITY`` of each path; a file that is not there has the size -1."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(_identity, paths, chunksize=CHUNK))
    return pl.DataFrame(found, schema=IDENTITY, orient="row")


def remembered(
    wanted: pl.DataFrame,
    measures: Mapping[str, Any],
    measure: Callable[[pl.DataFrame], pl.DataFrame],
    kept: Path | None,
    portion: int | None = None,
) -> pl.DataFrame:
    """Return the columns ``measures`` of each row of ``wanted``, whose columns identify it.

    What the file ``kept`` does not have yet is measured: ``measure`` gets the missing rows, each
    once, and returns their columns. It gets ``portion`` rows at a time, and each portion is kept,
    so that little is lost where hours of work break off.
    """
    known = _known(kept, {**wanted.schema, **measures})
    missing = wanted.join(known, on=wanted.columns, how="anti").unique(maintain_order=True)
    for rows in missing.iter_slices(portion or max(missing.height, 1)):
        known = pl.concat([known, rows.hstack(measure(rows))])
        if kept:
            _keep(known, kept)
    found = wanted.join(known, on=wanted.columns, how="left", maintain_order="left")
    return found.select(*measures)


def _identity(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns


def _known(kept: Path | None, schema: Mapping[str, Any]) -> pl.DataFrame:
    nothing = pl.DataFrame(schema=schema)
    if kept is not None and kept.is_file():
        with suppress(pl.exceptions.PolarsError):  # a torn file: measure again
            known = pl.read_parquet(kept)
            return known if known.schema == nothing.schema else nothing  # of another version
    return nothing


def _keep(known: pl.DataFrame, file: Path) -> None:
    """Write beside, then rename: another run may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    known.write_parquet(partial)
    partial.replace(file)
