"""Files on a disk: written whole or not at all, and read by their very name.

polars takes a path for a pattern, so that a folder ``br[1]`` cannot be read and ``st*r`` reads
those of others; spreadsheets take a cell that begins with ``=`` for a formula.
"""

import hashlib
import io
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import polars as pl

LEFT_OVER = 3_600  # seconds, after which a file half written belongs to nobody who is still at work
FORMULA = r"^[=+\-@\t\r]"
# A table in Parquet that was written here has its SHA-256 in its footer, by this name.
SEALED_BY, NOT_YET, FOOTER = "kaskad.sha256", b"0" * 64, 2**20
SEAL = re.compile(rb"(kaskad\.sha256[\s\S]{1,4}?)([0-9a-f]{64})")
NUMBER = r"^[+-]?\d+([.,]\d+)?(e[+-]?\d+)?$"


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


def write_text(text: str, path: Path) -> None:
    """Write a text; raises ``OSError`` as ``written_whole`` does."""
    with written_whole(path) as file:
        file.write(text.encode())


def require_place(path: Path) -> None:
    """Make the folder of ``path``, and raise ``OSError``, with the path and what to do, where
    nothing can be written there: for asking before hours of work, not after them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(f"{path}: {_unwritable(error)}") from error


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its place once it is whole and on the disk.

    What a process that was killed left half written beside it is removed. Raises ``OSError``, with
    the path and what to do, where it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path)
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OSError(f"{path}: {_unwritable(error)}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _unwritable(error: OSError) -> str:
    return (
        f"cannot be written: {error.strerror or error}; make room there, or choose another folder "
        "that may be written"
    )


def _remove_left_over(path: Path) -> None:
    begin, end = re.escape(f".{path.name}."), re.escape(".unfinished")
    with suppress(OSError):
        for file in path.parent.iterdir():
            is_unfinished = re.fullmatch(rf"{begin}\d+{end}", file.name)
            if is_unfinished and time.time() - file.stat().st_mtime > LEFT_OVER:
                file.unlink(missing_ok=True)
