"""What is heard around a voice: the room it speaks in, and sounds from a folder of one's own."""

import logging
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import torch
from audiomentations import AddBackgroundNoise, ApplyImpulseResponse
from torchaudio.functional import fftconvolve

from kaskad.audio.folders import audio_in
from kaskad.audio.reading import AudioError, read_header, read_samples

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


class Recorded:
    """A transform of audiomentations that draws one of many recordings, whose path is then its
    parameter ``drawn``. Where that is gone or broken the clip stays as it is, with a word, once.
    """

    def __init__(self, transform: AddBackgroundNoise | ApplyImpulseResponse, drawn: str) -> None:
        self.transform = transform
        self.drawn = drawn
        self.p = transform.p
        self.lost: set[str] = set()

    def __call__(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        try:
            varied: np.ndarray = self.transform(samples, sample_rate)
        except Exception:  # each library that tries to read a recording has its own
            if not self._is_lost(self.transform.parameters[self.drawn]):
                raise
            return samples
        return varied

    def _is_lost(self, path: str) -> bool:
        try:
            read_samples(path)
        except AudioError as reason:
            if path not in self.lost:
                log.warning("%s: %s; clips that draw it go on without it", path, reason)
            self.lost.add(path)
            return True
        return False


def background_noise(
    folder: str | None, min_snr_db: float = 5.0, max_snr_db: float = 30.0, p: float = 0.5
) -> Recorded | None:
    """Put a stretch of a recording from ``folder`` behind the voice, so many dB weaker.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio.
    """
    if folder is None:
        return None
    noise = AddBackgroundNoise(
        _recordings(folder),
        min_snr_db=min_snr_db,
        max_snr_db=max_snr_db,
        noise_transform=_never_empty,
        p=p,
    )
    return Recorded(noise, "noise_file_path")


def impulse_response(folder: str | None, p: float = 0.5) -> Recorded | None:
    """Let the voice sound in a room of which ``folder`` holds impulse responses.

    Without a folder there is none. Raises ``FileNotFoundError`` if it holds no audio.
    """
    if folder is None:
        return None
    return Recorded(ApplyImpulseResponse(_recordings(folder), p=p), "ir_file_path")


def _recordings(folder: str) -> list[Path]:
    """Audio files at or below a folder; those that cannot be read are left out, with a word."""
    # audiomentations says it of every file, in every worker.
    warnings.filterwarnings("ignore", ".* had to be resampled from")
    paths = audio_in(folder)
    with ThreadPoolExecutor() as pool:
        problems = dict(zip(paths, pool.map(_problem, paths), strict=True))
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
        begin = max(0, header.samples - header.sample_rate)
        last, _ = soundfile.read(str(path), start=begin)
    except AudioError as error:
        return str(error)
    except (soundfile.SoundFileError, RuntimeError):
        return "breaks off: its end cannot be decoded"
    return None if begin + len(last) == header.samples else "breaks off before its end"


def _never_empty(noise: np.ndarray, sample_rate: int) -> np.ndarray:
    """audiomentations repeats a noise until it is long enough: of an empty one, for ever."""
    return noise if len(noise) else np.zeros(1, dtype=np.float32)
