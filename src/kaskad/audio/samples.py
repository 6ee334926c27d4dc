"""Samples as a program has them, made into a waveform as a recogniser wants it."""

from pathlib import Path

import numpy as np
import soxr
from torch import Tensor

from kaskad.audio.files import AudioError
from kaskad.audio.reading import LOUDEST, read_audio

Audio = str | Path | np.ndarray | Tensor

WANTED = (
    "give a file, or samples: an array or tensor, (samples,) or (samples, channels), of integers "
    "or of floats from -1 to 1"
)
RATES = 1_000, 768_000  # Hz: what a recording can have


def read_or_convert(audio: Audio, sample_rate: int, wanted_rate: int) -> np.ndarray:
    """A file, or samples at ``sample_rate`` Hz, as (samples,) float32 at ``wanted_rate`` Hz.

    Raises ``AudioError`` if it cannot be used.
    """
    if not isinstance(audio, str | Path):
        return to_waveform(audio, sample_rate, wanted_rate)
    try:
        return read_audio(audio, wanted_rate)
    except AudioError as error:
        raise AudioError(f"{audio}: {error}") from error


def to_waveform(samples: np.ndarray | Tensor, sample_rate: int, wanted_rate: int) -> np.ndarray:
    """Return (samples,) float32 in [-1, 1] at ``wanted_rate`` Hz: channels mixed, resampled.

    Args:
        samples: (samples,) or (samples, channels); integers are scaled by the range of their type.
        sample_rate: Of ``samples``, in Hz.
        wanted_rate: Of the result, in Hz.

    Raises:
        AudioError: If there is nothing to use, or it is not what it should be.
    """
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().numpy()
    if not isinstance(samples, np.ndarray) or samples.dtype.kind not in "iuf":
        raise AudioError(f"{_named(samples)} is no audio: {WANTED}")
    if isinstance(sample_rate, bool) or not RATES[0] <= sample_rate <= RATES[1]:
        raise AudioError(f"sample_rate={sample_rate}: wants Hz, from {RATES[0]} to {RATES[1]}")
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] > samples.shape[0]):
        question = "; transpose it?" if samples.ndim == 2 else ""
        raise AudioError(f"samples of the shape {samples.shape}: {WANTED}{question}")
    if samples.size == 0:
        raise AudioError("there are no samples")
    waveform = _as_float(samples)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise AudioError("some samples are not finite (NaN or Inf)")
    if np.abs(waveform).max() > LOUDEST:
        raise AudioError(
            f"samples up to {np.abs(waveform).max():.0f}: floats go from -1 to 1; give integers as "
            "integers, or divide by their largest value"
        )
    if sample_rate != wanted_rate:
        waveform = soxr.resample(waveform, sample_rate, wanted_rate)
    return np.ascontiguousarray(waveform, dtype=np.float32)


def _as_float(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    middle = half if samples.dtype.kind == "u" else 0.0
    return ((samples.astype(np.float64) - middle) / half).astype(np.float32)


def _named(samples: object) -> str:
    if isinstance(samples, np.ndarray):
        return f"an array of {samples.dtype}"
    return type(samples).__name__
