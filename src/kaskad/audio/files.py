"""Files of audio, and such files within tar files: opened, if they can be, and read.

The path of a file in a tar file ends in the bytes that it has there, those from 512 on that are
31,788: ``train-00003.tar#512+31788``. They are found, and read, at once.
"""

import functools
import io
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.audio.segments import Segment

# What tells the path of a file in a tar file, in Python and in polars; a segment may follow.
PACKED = r"^(.*\.tar)#(\d+)\+(\d+)(?:#.*)?$"
HEAD = 8_192  # bytes of a packed file, in which a header lies as a rule
# What no file holds, whatever its header says: a byte of silence in FLAC is 1,000 samples at most.
MOST_SAMPLES_A_BYTE = 5_000
KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class AudioError(ValueError):
    """A file that holds no usable audio; the message is the reason, without the path."""


def differing(stated: float, there: float) -> str:
    """How a header that says so many seconds differs from what is there."""
    if there < stated:
        return f"breaks off: its header says {stated:.2f} s, it holds {there:.2f} s"
    return f"its header says {stated:.2f} s, and it holds {there:.2f} s"


@dataclass(frozen=True)
class Packed:
    """A file that lies in the tar file ``file``: its ``size`` bytes from ``offset`` on."""

    file: str
    offset: int
    size: int

    @classmethod
    def at(cls, path: str | Path) -> Self | None:
        """What a path names; None where that is a file of its own."""
        found = re.match(PACKED, str(path))
        return found and cls(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.file}#{self.offset}+{self.size}"


def read_bytes(path: str | Path) -> bytes:
    """Return a file as it is stored, all of it where the path names a segment.

    Raises ``AudioError`` where it cannot be had whole.
    """
    packed = Packed.at(path) or Packed(Segment.at(path).file, 0, -1)
    with as_audio_errors(), opened(packed) as file:
        file.seek(packed.offset)
        return file.read(packed.size)


class PackedPart(io.RawIOBase):
    """The bytes of a packed file, those beyond its head read when they are asked for.

    soundfile opens one file at a time: what is read ahead, threads read side by side. ``failure``
    is an error on the way, which soundfile would print and take for the end.
    """

    def __init__(self, file: BinaryIO, packed: Packed) -> None:
        self.failure: OSError | None = None
        self._file, self._packed, self._position = file, packed, 0
        self._head = self._read(0, min(HEAD, packed.size))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = max(0, offset + (0, self._position, self._packed.size)[whence])
        return self._position

    def readinto(self, buffer: Any) -> int:
        begin = self._position
        end = max(begin, min(begin + len(buffer), self._packed.size))
        try:
            is_ahead = end <= len(self._head)
            content = self._head[begin:end] if is_ahead else self._read(begin, end)
        except OSError as error:
            self.failure, content = error, b""
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _read(self, begin: int, end: int) -> bytes:
        self._file.seek(self._packed.offset + begin)
        return self._file.read(end - begin)


@contextmanager
def opened(packed: Packed) -> Iterator[BinaryIO]:
    """Open the regular file that a packed one lies in."""
    try:
        mode = os.stat(packed.file).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(f"there is no such file{_hint(packed.file)}") from error
    except ValueError as error:
        raise AudioError("there can be no such file: its name has a null character") from error
    if not stat.S_ISREG(mode):  # to open a pipe would wait for ever
        raise AudioError(f"is a {KINDS.get(stat.S_IFMT(mode), 'thing')}, not a file of audio")
    with open(packed.file, "rb") as file:
        if os.fstat(file.fileno()).st_size < packed.offset + packed.size:
            raise AudioError("its tar file breaks off before its end")
        yield file


def _hint(missing: str) -> str:
    """Which file of nearly the same name is there."""
    folder, name = os.path.split(missing)
    try:
        near = _names_in(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return ""
    found = near.get(_plain(name)) or near.get(_plain(os.path.splitext(name)[0]))
    return f", but '{found}' is: write its name as it is" if found else ""


@functools.lru_cache(maxsize=16)
def _names_in(folder: str, _modified: int) -> dict[str, str]:
    """The recordings in a folder as it was modified, by what is plain in their names, with and
    without a suffix."""
    names = [name for name in os.listdir(folder) if Path(name).suffix.lower() in AUDIO_SUFFIXES]
    stems = {_plain(os.path.splitext(name)[0]): name for name in names}
    return stems | {_plain(name): name for name in names}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def as_audio_errors() -> Iterator[None]:
    """Make an ``AudioError`` of whatever a library raises for a broken file."""
    try:
        yield
    except AudioError:
        raise
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise AudioError("does not fit into memory") from error
    except Exception as error:
        raise AudioError(f"cannot be decoded: {type(error).__name__}: {error}") from error
