"""Audio files in: decoded, mono, at one sample rate, or an error that says what is wrong.

A file may lie in a tar file. Its path then ends in the bytes that it has there, those from 512 on
that are 31,788: ``train-00003.tar#512+31788``. They are found, and read, at once.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr

# What tells the path of a file in a tar file, in Python and in polars.
PACKED = r"^(.*\.tar)#(\d+)\+(\d+)$"


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
    """Return a file as it is stored; raises ``AudioError`` where it cannot be had whole."""
    packed = Packed.at(path) or Packed(str(path), 0, -1)
    try:
        with open(packed.file, "rb") as file:
            file.seek(packed.offset)
            content = file.read(packed.size)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise AudioError("there is no such file") from error
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror}") from error
    if len(content) < packed.size:
        raise AudioError("its tar file breaks off before its end")
    return content


def read_header(path: str | Path) -> AudioHeader:
    """Read the header alone; raises ``AudioError`` where there is no audio to be had."""
    with _open(path) as file:
        return AudioHeader(file.frames, file.samplerate, file.channels)


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
    with _open(path) as file:
        try:
            samples = file.read(dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError("breaks off: its end cannot be decoded") from error
        if len(samples) < file.frames:
            raise AudioError(f"breaks off after {len(samples)} of {file.frames} samples")
        rate = file.samplerate
    waveform = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if not np.isfinite(waveform).all():
        raise AudioError("holds samples that are not finite (NaN or Inf)")
    return np.clip(waveform, -1.0, 1.0), rate


def _open(path: str | Path) -> soundfile.SoundFile:
    source: str | io.BytesIO = str(path)
    if Packed.at(path):
        source = io.BytesIO(read_bytes(path))
    elif not os.path.isfile(path):
        raise AudioError("there is no such file")
    try:
        file = soundfile.SoundFile(source)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:  # TypeError: a .raw file
        raise AudioError("not an audio file, or a broken one") from error
    if file.frames == 0:
        file.close()
        raise AudioError("holds no samples")
    return file
