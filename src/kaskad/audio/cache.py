"""What was measured of audio files, kept: it is measured anew only where a file has changed."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kaskad.audio.precomputed import file_of
from kaskad.storage.tables import read_parquet, write_parquet

log = logging.getLogger(__name__)

# A file that has these as before is taken to hold what it held.
IDENTITY = {"path": pl.String, "size": pl.Int64, "modified": pl.Int64}
CHUNK = 256  # files a thread is handed at once


def file_stats(paths: Sequence[str] | pl.Series) -> pl.DataFrame:
    """Return the ``IDENTITY`` of each path; a file that is not there has the size -1."""
    table = pl.DataFrame({"path": paths}, schema={"path": pl.String})
    numbers = np.full((table.height, 2), -1)

    def look(begin: int) -> None:
        for row, path in enumerate(table["path"][begin : begin + CHUNK], begin):
            with suppress(OSError, ValueError):  # ValueError: a null character in the name
                status = os.stat(file_of(path))
                numbers[row] = status.st_size, status.st_mtime_ns

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(look, range(0, table.height, CHUNK)))
    return table.with_columns(size=pl.Series(numbers[:, 0]), modified=pl.Series(numbers[:, 1]))


def file_for(paths: Iterable[str], folder: Path) -> Path:
    """Where ``folder`` keeps what was measured of one list of paths: one that grows has another."""
    digest = sha256("\0".join(paths).encode()).hexdigest()[:16]
    return folder / f"{digest}.parquet"


def remembered(
    wanted: pl.DataFrame,
    measures: Mapping[str, Any],
    measure: Callable[[pl.DataFrame], pl.DataFrame],
    kept: Path | None,
    portion: int | None = None,
    failed: pl.Expr | None = None,
) -> pl.DataFrame:
    """Return the columns ``measures`` of each row of ``wanted``, whose columns identify it.

    What the file ``kept`` does not have yet is measured: ``measure`` gets the missing rows, each
    once, and returns their columns. It gets ``portion`` rows at a time, and each portion is kept,
    so that little is lost where hours of work break off. What ``failed`` last time is tried again:
    a file may be readable by now, or a decoder be there.
    """
    known = _known(kept, {**wanted.schema, **measures})
    if failed is not None:
        known = known.filter(~failed)
    if known.select(wanted.columns).equals(wanted):  # as a rule: then nothing is copied
        return known.select(*measures)
    missing = wanted.filter(_rows(wanted, known).is_null()).unique(maintain_order=True)
    for rows in missing.iter_slices(portion or max(missing.height, 1)):
        known = pl.concat([known, rows.hstack(measure(rows))])
        if kept and not _keep(known, kept):
            kept = None
    return known.select(*measures)[_rows(wanted, known)]


def _rows(wanted: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    """Where in ``known`` each row of ``wanted`` is, null where it is not."""
    # By hashes of 64 bits: to join the paths themselves takes several times their size.
    there = pl.DataFrame({"hash": known.select(wanted.columns).hash_rows()}).with_row_index("row")
    here = pl.DataFrame({"hash": wanted.hash_rows()})
    there = there.unique("hash", keep="first")
    return here.join(there, on="hash", how="left", maintain_order="left")["row"]


def _known(kept: Path | None, schema: Mapping[str, Any]) -> pl.DataFrame:
    nothing = pl.DataFrame(schema=schema)
    with suppress(OSError, ValueError):  # not there, or torn: measure again
        known = read_parquet(kept) if kept is not None and kept.is_file() else nothing
        return known if known.schema == nothing.schema else nothing  # of another version
    return nothing


def _keep(known: pl.DataFrame, file: Path) -> bool:
    """Keep what was measured, if the disk lets it; whether it does."""
    try:
        write_parquet(known, file)
    except OSError as error:
        log.warning("%s; what was measured is not kept, and is measured again next time", error)
        return False
    return True
