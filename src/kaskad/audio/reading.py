"""Audio files in: decoded, mono, at one sample rate, or an error that says what is wrong.

A file may lie in a tar file. Its path then ends in the bytes that it has there, those from 512 on
that are 31,788: ``train-00003.tar#512+31788``. They are found, and read, at once. Any path may end
in the seconds and the channel that are meant: see ``kaskad.audio.segments``.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import soundfile
import soxr

from kaskad.audio.segments import Segment

# What tells the path of a file in a tar file, in Python and in polars; a segment may follow.
PACKED = r"^(.*\.tar)#(\d+)\+(\d+)(?:#.*)?$"
HEAD = 8_192  # bytes of a packed file, in which a header lies as a rule


class AudioError(ValueError):
    """A file that holds no usable audio; the message is the reason, without the path."""


@dataclass(frozen=True)
class AudioHeader:
    """What a file says of itself: samples a channel, Hz, channels."""

    samples: int
    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate


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
    with _opened(packed) as file:
        file.seek(packed.offset)
        return file.read(packed.size)


def read_header(path: str | Path) -> AudioHeader:
    """Read the header alone, and of a tar file no more than that takes.

    Raises ``AudioError`` where there is no audio to be had.
    """
    segment, packed = Segment.at(path), Packed.at(path)
    if packed is None:
        return _header_of(segment, segment.file)
    with _opened(packed) as file:
        part = _Part(file, packed)
        try:
            return _header_of(segment, part)
        finally:
            if part.failure:
                raise part.failure


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Return the waveform (samples,) float32 in [-1, 1], channels averaged, at ``sample_rate`` Hz.

    Raises ``AudioError`` if the file is missing, unreadable, truncated, empty, or holds samples
    that are not finite.
    """
    waveform, rate = read_samples(path)
    if rate == sample_rate:
        return waveform
    return np.clip(soxr.resample(waveform, rate, sample_rate), -1.0, 1.0)


def read_samples(path: str | Path) -> tuple[np.ndarray, int]:
    """As ``read_audio``, at the sample rate of the file, which is returned as well."""
    segment = Segment.at(path)
    source: str | io.BytesIO = io.BytesIO(read_bytes(path)) if Packed.at(path) else segment.file
    with _open(source) as file:
        begin, end = _bounds(segment, file)
        try:
            if begin:
                file.seek(begin)
            samples = file.read(end - begin, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError("breaks off: its end cannot be decoded") from error
        if len(samples) < end - begin:
            raise AudioError(f"breaks off after {begin + len(samples)} of {file.frames} samples")
        rate = file.samplerate
    if segment.channel is not None:
        samples = samples[:, [segment.channel]]
    waveform = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if not np.isfinite(waveform).all():
        raise AudioError("holds samples that are not finite (NaN or Inf)")
    return np.clip(waveform, -1.0, 1.0), rate


class _Part(io.RawIOBase):
    """The bytes of a packed file, those beyond its head read when they are asked for.

    soundfile opens one file at a time: what is read ahead, threads read side by side. ``failure``
    is an error on the way, which soundfile would print and take for the end.
    """

    def __init__(self, file: BinaryIO, packed: Packed) -> None:
        self.failure: OSError | None = None
        self._file, self._packed, self._position = file, packed, 0
        self._head = self._read(0, min(HEAD, packed.size))

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
def _opened(packed: Packed) -> Iterator[BinaryIO]:
    """Open the file that a packed one lies in; any ``OSError`` within is an ``AudioError``."""
    try:
        with open(packed.file, "rb") as file:
            if os.fstat(file.fileno()).st_size < packed.offset + packed.size:
                raise AudioError("its tar file breaks off before its end")
            yield file
    except (FileNotFoundError, IsADirectoryError) as error:
        raise AudioError("there is no such file") from error
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror}") from error


def _header_of(segment: Segment, source: str | io.RawIOBase) -> AudioHeader:
    with _open(source) as file:
        begin, end = _bounds(segment, file)
        channels = file.channels if segment.channel is None else 1
        return AudioHeader(end - begin, file.samplerate, channels)


def _bounds(segment: Segment, file: soundfile.SoundFile) -> tuple[int, int]:
    """The first sample of a segment, and the one after its last."""
    try:
        segment.require_channel(file.channels)
        return segment.samples(file.frames, file.samplerate)
    except ValueError as error:
        raise AudioError(f"the segment {error}") from error


def _open(source: str | io.IOBase) -> soundfile.SoundFile:
    if isinstance(source, str) and not os.path.isfile(source):
        raise AudioError("there is no such file")
    try:
        file = soundfile.SoundFile(source)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:  # TypeError: a .raw file
        raise AudioError("not an audio file, or a broken one") from error
    if file.frames == 0:
        file.close()
        raise AudioError("holds no samples")
    return file
