"""Tables on a disk: written whole, read by their very name, and harmless in a spreadsheet.

polars takes a path for a pattern, so that a folder ``br[1]`` cannot be read and ``st*r`` reads
those of others; spreadsheets take a cell that begins with ``=`` for a formula.
"""

import hashlib
import io
import re
from pathlib import Path

import polars as pl

from kaskad.storage.files import written_whole

FORMULA = r"^[=+\-@\t\r]"
NUMBER = r"^[+-]?\d+([.,]\d+)?(e[+-]?\d+)?$"
# A table in Parquet that was written here has its SHA-256 in its footer, by this name.
SEALED_BY, NOT_YET, FOOTER = "kaskad.sha256", b"0" * 64, 2**20
SEAL = re.compile(rb"(kaskad\.sha256[\s\S]{1,4}?)([0-9a-f]{64})")


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a table in Parquet; raises ``OSError`` or ``ValueError``, with its path, where it cannot
    be read: it is torn, or no such table."""
    try:
        content = path.read_bytes()
        if (found := SEAL.search(content[-FOOTER:])) and found[2] != _sealed(content, found[2])[1]:
            raise ValueError("its SHA-256 is another than when it was written")
        return pl.read_parquet(io.BytesIO(content))
    except OSError as error:
        raise OSError(f"{path}: cannot be read: {error.strerror or error}") from error
    # PanicException is no Exception: some torn files are a surprise to polars.
    except (Exception, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: torn, or no table in Parquet: {reason}") from error


def write_parquet(table: pl.DataFrame, path: Path) -> None:
    """Write a table in Parquet, with its own SHA-256; raises ``OSError`` as ``written_whole``."""
    content = io.BytesIO()
    table.write_parquet(content, metadata={SEALED_BY: NOT_YET.decode()})
    with written_whole(path) as file:
        file.write(_sealed(content.getvalue(), NOT_YET)[0])


def _sealed(content: bytes, digest: bytes) -> tuple[bytes, bytes]:
    """A table in Parquet with its SHA-256 in place of ``digest``, and that: of its bytes with zeros
    there. Of some damaged tables polars ends the process, so they are known before it sees them."""
    begin = content.rindex(digest)
    zeros = content[:begin] + NOT_YET + content[begin + len(NOT_YET) :]
    true = hashlib.sha256(zeros).hexdigest().encode()
    return content[:begin] + true + content[begin + len(true) :], true


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
