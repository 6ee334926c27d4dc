"""Files on a disk: written whole or not at all."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LEFT_OVER = 3_600  # seconds, after which a file half written belongs to nobody who is still at work


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
