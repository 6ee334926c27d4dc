"""Audio files in: decoded, mono, at one sample rate, or an error that says what is wrong."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr


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
    if not os.path.isfile(path):
        raise AudioError("there is no such file")
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:  # TypeError: a .raw file
        raise AudioError("not an audio file, or a broken one") from error
    if file.frames == 0:
        file.close()
        raise AudioError("holds no samples")
    return file
