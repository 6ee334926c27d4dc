"""What is heard around a voice: the room it speaks in, and sounds from a folder of one's own."""

import logging
import random
import warnings
from pathlib import Path

import numpy as np
import torch
from audiomentations import AddBackgroundNoise, ApplyImpulseResponse
from audiomentations.core.utils import find_audio_files_in_paths
from torchaudio.functional import fftconvolve

from kaskad.audio.inspection import inspect

log = logging.getLogger(__name__)


class Room:
    """Reverberation of a room that is drawn anew each time; needs no recordings.

    The voice itself, and behind it white noise that decays by 60 dB in ``reverberation_time``
    seconds, ``direct_to_reverberant`` dB weaker than the voice; both are drawn from (lowest,
    highest). The length stays, and loudness nearly.
    Source: Polack, "La transmission de l'énergie sonore dans les salles", Université du Maine,
    1988: late echoes are Gaussian noise with an exponential envelope.
    """

    def __init__(
        self,
        reverberation_time: tuple[float, float] = (0.1, 0.6),
        direct_to_reverberant: tuple[float, float] = (0.0, 15.0),
        p: float = 0.5,
    ) -> None:
        self.reverberation_time = reverberation_time
        self.direct_to_reverberant = direct_to_reverberant
        self.p = p

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        if random.random() >= self.p:
            return samples
        response = torch.from_numpy(self._draw_response(sample_rate))
        return fftconvolve(torch.from_numpy(samples), response)[: len(samples)].numpy()

    def _draw_response(self, sample_rate: int) -> np.ndarray:
        """Return (samples,): the voice at 0, its echoes after it, with energy 1 in all."""
        seconds = random.uniform(*self.reverberation_time)
        ratio = 10 ** (random.uniform(*self.direct_to_reverberant) / 20)
        decay = np.logspace(0, -3, max(round(seconds * sample_rate), 2))
        echoes = np.random.standard_normal(len(decay)) * decay
        echoes /= np.linalg.norm(echoes) * ratio
        echoes[0] = 1.0
        return (echoes / np.linalg.norm(echoes)).astype(np.float32)


def background_noise(
    folder: str | None, min_snr_db: float = 5.0, max_snr_db: float = 30.0, p: float = 0.5
) -> AddBackgroundNoise | None:
    """Put a stretch of a recording from ``folder`` behind the voice, so many dB weaker.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio.
    """
    if folder is None:
        return None
    return AddBackgroundNoise(
        _recordings(folder),
        min_snr_db=min_snr_db,
        max_snr_db=max_snr_db,
        noise_transform=_never_empty,
        p=p,
    )


def impulse_response(folder: str | None, p: float = 0.5) -> ApplyImpulseResponse | None:
    """Let the voice sound in a room of which ``folder`` holds impulse responses.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio.
    """
    return None if folder is None else ApplyImpulseResponse(_recordings(folder), p=p)


def _recordings(folder: str) -> list[Path]:
    """Audio files at or below a folder; those that cannot be read are left out, with a word."""
    # audiomentations says it of every file, in every worker.
    warnings.filterwarnings("ignore", ".* had to be resampled from")
    paths = find_audio_files_in_paths(folder)
    problems = inspect([str(path) for path in paths])["problem"].to_list()
    usable = [path for path, problem in zip(paths, problems, strict=True) if problem is None]
    if not usable:
        raise FileNotFoundError(
            f"{folder}: no audio that can be read in this folder ({len(paths)} files tried); "
            "augmentation wants recordings of noises or impulse responses there (folder=…)"
        )
    if len(usable) < len(paths):
        first = next(p for p, problem in zip(paths, problems, strict=True) if problem)
        log.warning(
            "%s: %d of %d recordings cannot be read and are left out, such as %s",
            folder,
            len(paths) - len(usable),
            len(paths),
            first.name,
        )
    return usable


def _never_empty(noise: np.ndarray, sample_rate: int) -> np.ndarray:
    """audiomentations repeats a noise until it is long enough: of an empty one, for ever."""
    return noise if len(noise) else np.zeros(1, dtype=np.float32)
