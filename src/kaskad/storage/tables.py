"""Tables on a disk: written whole, read by their very name, and harmless in a spreadsheet.

polars takes a path for a pattern, so that a folder ``br[1]`` cannot be read and ``st*r`` reads
those of others; spreadsheets take a cell that begins with ``=`` for a formula.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from kaskad.storage.files import written_whole

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMULA = r"^[=+\-@\t\r]"
NUMBER = r"^[+-]?\d+([.,]\d+)?(e[+-]?\d+)?$"
# A table in Parquet that was written here has its SHA-256 in its footer, by this name.
SEALED_BY, NOT_YET, FOOTER = "kaskad.sha256", b"0" * 64, 2**20
SEAL = re.compile(rb"(kaskad\.sha256[\s\S]{1,4}?)([0-9a-f]{64})")
MOST_ROWS_A_BYTE = 100  # of a small file that asks for more memory than there is


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a table in Parquet; raises ``OSError`` or ``ValueError``, with its path, where it cannot
    be read: it is torn, or no such table.

    Of some damaged tables polars ends the process, where pyarrow raises an error. So polars, which
    is faster, reads what was written here and has its SHA-256, and pyarrow all others.
    """
    with _errors_with(path), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - FOOTER))
        if not SEAL.search(file.read()):
            return _of_arrow(_opened(path).read())
        file.seek(0)
        content = file.read()
        (*_, seal) = SEAL.finditer(content, max(0, size - FOOTER))
        if seal[2] != _digest(content, seal.start(2)):
            raise ValueError("its SHA-256 is another than when it was written")
        return pl.read_parquet(io.BytesIO(content))


def parts_of_parquet(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """So many ``rows`` of a table in Parquet at a time; raises as ``read_parquet`` does."""
    with _errors_with(path):
        for part in _opened(path).iter_batches(rows):
            yield _of_arrow(part)


def parquet_schema(path: Path) -> pl.Schema:
    """The columns of a table in Parquet; raises as ``read_parquet`` does."""
    with _errors_with(path):
        return _of_arrow(_opened(path).schema_arrow.empty_table()).schema


def write_parquet(table: pl.DataFrame, path: Path) -> None:
    """Write a table in Parquet, with its own SHA-256; raises ``OSError`` as ``written_whole``."""
    file = io.BytesIO()
    table.write_parquet(file, metadata={SEALED_BY: NOT_YET.decode()})
    content = file.getbuffer()
    place = file.getvalue().rindex(NOT_YET)
    content[place : place + len(NOT_YET)] = _digest(content, place)
    with written_whole(path) as whole:
        whole.write(content)


def _digest(content: bytes | memoryview, place: int) -> bytes:
    """The SHA-256 of a table with zeros where it is to stand."""
    content = memoryview(content)
    digest = hashlib.sha256(content[:place])
    digest.update(NOT_YET)
    digest.update(content[place + len(NOT_YET) :])
    return digest.hexdigest().encode()


@contextmanager
def _errors_with(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:  # as pyarrow has it
            raise ValueError(_torn(path, error)) from error
        raise OSError(f"{path}: cannot be read: {error.strerror or error}") from error
    # PanicException is no Exception: some columns are a surprise to polars.
    except (Exception, pl.exceptions.PanicException) as error:
        raise ValueError(_torn(path, error)) from error


def _torn(path: Path, error: BaseException) -> str:
    reason = str(error).partition("\n")[0]
    return f"{path}: torn, or no table in Parquet: {reason}"


def _opened(path: Path) -> "pq.ParquetFile":
    import pyarrow.parquet as pq  # here, for it takes long, and most commands need it not

    file = pq.ParquetFile(path, page_checksum_verification=True)
    rows, size = file.metadata.num_rows, path.stat().st_size
    if rows > MOST_ROWS_A_BYTE * size:
        raise ValueError(f"it says that it has {rows} rows, in {size} bytes")
    return file


def _of_arrow(table: "pa.Table | pa.RecordBatch") -> pl.DataFrame:
    table.validate(full=True)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """Write a table for people to open, whose program is not to compute what a cell says: before
    text that it would take for a formula comes an apostrophe. Raises ``OSError``, too."""
    with written_whole(path) as file:
        without_formulas(table).write_csv(file)


def without_formulas(table: pl.DataFrame) -> pl.DataFrame:
    """The table as a program for spreadsheets shows it; numbers stay as they are."""
    text = pl.col(pl.String)
    is_formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return table.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep())
