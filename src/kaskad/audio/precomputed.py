"""Corpora that come as features: arrays (frames, bins) where others have audio files.

A path then names an .npy file, the rows of one utterance where the file holds many, and the frames
a second where these are not 100: ``a.npy``, ``all.npy#567:1861``, ``all.npy#567:1861@50``. Arrays
are memory-mapped, so only these rows are read.
"""

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from kaskad.audio.files import AudioError, Packed, as_audio_errors, opened
from kaskad.audio.reading import AudioHeader, read_audio, read_header
from kaskad.audio.segments import Segment

# What tells the path of frames from one of audio, in Python and in polars.
PATTERN = r"^(.*\.npy)(?:#(\d+):(\d+))?(?:@(\d+))?$"
RATE = 100  # frames a second, unless the path says otherwise
# Where samples are wanted at so few a second, what is wanted are frames: no audio is as coarse.
HIGHEST_RATE = 1_000


@dataclass(frozen=True)
class Frames:
    """The rows ``first`` to ``end`` (None: to the last) of the array in ``file``, ``rate`` of them
    a second."""

    file: str
    first: int = 0
    end: int | None = None
    rate: int = RATE

    @classmethod
    def at(cls, path: str | Path) -> Self | None:
        """What a path names; None where that is a file of audio."""
        found = re.match(PATTERN, str(path))
        if found is None:
            return None
        file, first, end, rate = found.groups()
        return cls(file, int(first or 0), int(end) if end else None, int(rate or RATE))

    def header(self) -> AudioHeader:
        """Frames, frames a second, bins; raises ``AudioError`` where these frames are not."""
        rows, bins = self._rows().shape
        return AudioHeader(rows, self.rate, bins)

    def read(self) -> np.ndarray:
        """Return (frames, bins) float32; raises ``AudioError`` where a value is not finite, too."""
        with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
            frames = np.array(self._rows(), dtype=np.float32)
        if not np.isfinite(frames).all():
            raise AudioError("holds values that are not finite (NaN or Inf)")
        return frames

    def _rows(self) -> np.ndarray:
        with as_audio_errors(), opened(Packed(self.file, 0, -1)) as file:
            array = _mapped(self.file, os.fstat(file.fileno()).st_mtime_ns)
        end = len(array) if self.end is None else self.end
        if not self.first < end <= len(array):
            raise AudioError(f"holds no frames {self.first}:{end}: it has {len(array)}")
        return array[self.first : end]


def read_signal(path: str | Path, sample_rate: int) -> np.ndarray:
    """Return what a recogniser is given: a waveform (samples,) or frames (frames, bins), float32.

    Raises ``AudioError`` as ``read_audio`` does, and where one is there and the other is wanted.
    """
    frames = Frames.at(path)
    if frames is None:
        if sample_rate <= HIGHEST_RATE:
            raise AudioError("is audio, and the model takes ready features (features=precomputed)")
        return read_audio(path, sample_rate)
    if frames.rate != sample_rate:
        wanted = "audio" if sample_rate > HIGHEST_RATE else f"{sample_rate} frames a second"
        raise AudioError(f"is features, {frames.rate} frames a second; the model takes {wanted}")
    return frames.read()


def read_signal_header(path: str | Path) -> AudioHeader:
    """The header of audio; of frames, their number, their rate in Hz and, as channels, the bins."""
    frames = Frames.at(path)
    return read_header(path) if frames is None else frames.header()


def file_of(path: str) -> str:
    """The file in which a path lies: a tar file, a recording of segments, an array of frames."""
    part = Packed.at(path) or Frames.at(path) or Segment.at(path)
    return part.file


@functools.lru_cache(maxsize=256)
def _mapped(file: str, modified: int) -> np.ndarray:
    """The array of a file as it was ``modified``; raises ``AudioError`` unless (frames, bins)."""
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy has many ways to refuse a header
        raise AudioError("not an array of numbers, or a broken one") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise AudioError("not an array of numbers, or a broken one")
    if array.ndim != 2:
        raise AudioError(f"holds an array of shape {array.shape}, not of (frames, bins)")
    return array
