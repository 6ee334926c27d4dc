"""The surroundings of a voice: rooms and noises, from folders of recordings.

Recordings are read as those of a corpus are, and by nothing else: a library that falls back to
programs which may be installed makes of one file an error here and damaged sound there.
"""

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torchaudio.functional import fftconvolve

from kaskad.audio.files import AudioError
from kaskad.audio.folders import audio_in
from kaskad.audio.reading import read_audio, read_header, read_samples

log = logging.getLogger(__name__)

WORTH_A_BAR = 1000  # recordings; fewer are checked in a few seconds
SILENCE = 1e-9  # of full scale: what is weaker cannot be made louder


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


class Recorded(ABC):
    """Varies a clip by one of the recordings ``paths``, which is drawn, with the probability ``p``.

    Where that is gone or broken the clip stays as it is, with a warning, once.
    """

    def __init__(self, paths: Sequence[Path], p: float) -> None:
        self.paths = [str(path) for path in paths]
        self.p = p
        self.lost: set[str] = set()

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        if samples.ndim != 1:
            raise ValueError(f"noises and rooms are for (samples,), not {samples.shape}")
        if random.random() >= self.p:
            return samples
        path = random.choice(self.paths)
        try:
            return self.vary(samples, path, sample_rate)
        except AudioError as reason:
            if path not in self.lost:
                log.warning("%s: %s; clips that draw it are used without it", path, reason)
            self.lost.add(path)
            return samples

    @abstractmethod
    def vary(self, samples: np.ndarray, path: str, sample_rate: int) -> np.ndarray:
        """The clip (samples,), varied by the recording at ``path``; may raise ``AudioError``."""


class BackgroundNoise(Recorded):
    """Puts a stretch of a recording behind the voice, so many dB weaker; one that is too short is
    repeated."""

    def __init__(self, paths: Sequence[Path], snr_db: tuple[float, float], p: float) -> None:
        super().__init__(paths, p)
        self.snr_db = snr_db

    def vary(self, samples: np.ndarray, path: str, sample_rate: int) -> np.ndarray:
        header = read_header(path)
        seconds = len(samples) / sample_rate
        begin = random.uniform(0.0, max(0.0, header.seconds - seconds))
        end = min(begin + seconds, header.seconds)
        noise = read_audio(f"{path}#t={begin:.6f},{end:.6f}", sample_rate)
        ratio = 10 ** (random.uniform(*self.snr_db) / 20)
        loudness = np.sqrt(np.square(noise).mean()) if len(noise) else 0.0
        if loudness < SILENCE:
            return samples
        wanted = np.sqrt(np.square(samples).mean()) / ratio
        return samples + np.resize(noise, len(samples)) * (wanted / loudness)


class ImpulseResponse(Recorded):
    """Lets the voice sound in a room, as loud as it was, whose response to a click is recorded."""

    def vary(self, samples: np.ndarray, path: str, sample_rate: int) -> np.ndarray:
        response = torch.from_numpy(read_audio(path, sample_rate))
        sounding = fftconvolve(torch.from_numpy(samples), response)[: len(samples)].numpy()
        loudest = np.abs(sounding).max(initial=0.0)
        return sounding * (np.abs(samples).max() / loudest) if loudest > SILENCE else samples


def background_noise(
    folder: str | None, min_snr_db: float = 5.0, max_snr_db: float = 30.0, p: float = 0.5
) -> Recorded | None:
    """Put a stretch of a recording from ``folder`` behind the voice, so many dB weaker.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio, and
    ``ValueError`` if ``min_snr_db`` is above ``max_snr_db``.
    """
    if folder is None:
        return None
    if min_snr_db > max_snr_db:
        raise ValueError(f"min_snr_db={min_snr_db} is above max_snr_db={max_snr_db}")
    return BackgroundNoise(_recordings(folder), (min_snr_db, max_snr_db), p)


def impulse_response(folder: str | None, p: float = 0.5) -> Recorded | None:
    """Let the voice sound in a room of which ``folder`` holds impulse responses.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio.
    """
    return None if folder is None else ImpulseResponse(_recordings(folder), p)


def _recordings(folder: str) -> list[Path]:
    """Audio files at or below a folder; those that cannot be read are left out, with a word."""
    paths = audio_in(folder)
    with ThreadPoolExecutor() as pool:
        found = pool.map(_problem, paths)
        few = len(paths) < WORTH_A_BAR
        shown = track(found, "checking noises", len(paths), transient=True, disable=few)
        problems = dict(zip(paths, shown, strict=True))
    usable = [path for path, problem in problems.items() if problem is None]
    unusable = [f"{path.name}: {problem}" for path, problem in problems.items() if problem]
    such_as = "; ".join(unusable[:3])
    if not usable:
        raise FileNotFoundError(
            f"{folder}: no audio that can be read in this folder ({such_as or 'there is none'}); "
            "augmentation wants recordings of noises or impulse responses there (folder=…)"
        )
    if unusable:
        log.warning(
            "%s: %d of %d recordings cannot be read and are left out, such as %s",
            folder,
            len(unusable),
            len(paths),
            such_as,
        )
    return usable


def _problem(path: Path) -> str | None:
    """Why a recording cannot be read, if so. Its last second tells whether it was cut off; all of
    it is not decoded: that would take minutes of a large collection, whenever a run begins.
    """
    try:
        header = read_header(path)
        read_samples(f"{path}#t={max(0.0, header.seconds - 1):.6f},")
    except AudioError as error:
        return str(error)
    return header.doubt
