"""Where somebody speaks in a recording, and where it can be cut without cutting a word.

A recording is gone through a minute at a time, so an hour of it takes no more memory than a minute.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from kaskad.audio.reading import read_audio, read_header
from kaskad.audio.segments import Segment

SAMPLE_RATE = 16_000
FRAME = 512  # samples: what silero-vad takes at a time
SECONDS = FRAME / SAMPLE_RATE  # of a frame
BLOCK = 2_000 * SECONDS  # seconds that are read at a time
LOWEST = 1e-6  # -120 dB
SHORTEST = 0.1  # seconds of speech: what is shorter is a click
CONTRAST = 6.0  # dB: of a steady hum or noise the loudest frames are hardly above the others
MARGIN = 0.2  # seconds that are kept before and after speech

SILERO, ENERGY = "silero", "energy"


class VoiceActivity(Protocol):
    """Blocks of a recording (samples,) at 16 kHz -> whether somebody speaks in each frame."""

    def __call__(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        """Return (frames,) bool, a frame for each 512 samples begun."""


@dataclass(frozen=True)
class Cut:
    """How recordings are cut: at pauses of ``pause`` seconds, into at most ``longest`` seconds."""

    pause: float = 0.5
    longest: float = 30.0

    def __post_init__(self) -> None:
        if not self.pause > 0 or not self.longest >= 1.0:
            raise ValueError(
                f"pause={self.pause}, longest_segment={self.longest}: recordings are cut at pauses "
                "of more than 0 seconds, into segments of 1 second or more"
            )


def voice_activity(name: str | None) -> VoiceActivity:
    """Return the one of this name: silero, energy; ``None``: silero where it is installed.

    Raises ``ValueError`` for any other name, and for silero where it is not installed.
    """
    is_installed = importlib.util.find_spec("silero_vad") is not None
    if name == ENERGY or (name is None and not is_installed):
        return EnergyGate()
    if name not in (None, SILERO):
        raise ValueError(f"voice_activity={name}: it is one of {SILERO}, {ENERGY}, null")
    if not is_installed:
        raise ValueError(
            f"voice_activity={name}: silero-vad is not installed; pip install --no-deps "
            f"silero-vad, or choose voice_activity={ENERGY}"
        )
    return Silero()


def speech(path: str, detect: VoiceActivity, cut: Cut) -> list[tuple[float, float]]:
    """Return the start and end, in seconds, of each segment of a recording in which is speech.

    Raises ``AudioError`` as ``read_audio`` does.
    """
    loudness: list[np.ndarray] = []

    def windows() -> Iterator[np.ndarray]:
        for block in read_blocks(path):
            loudness.append(levels(block))
            yield block

    is_speech = detect(windows())
    segments = join(is_speech, np.concatenate(loudness), cut)
    return [(round(start * SECONDS, 3), round(end * SECONDS, 3)) for start, end in segments]


def read_blocks(path: str) -> Iterator[np.ndarray]:
    """Read a recording, or the segment that a path names, a minute at a time, at 16 kHz."""
    header, whole = read_header(path), Segment.at(path)
    first = whole.start
    last = first + header.seconds
    for start in np.arange(first, last, BLOCK).tolist():
        part = Segment(whole.file, start, min(start + BLOCK, last), whole.channel)
        yield read_audio(str(part), SAMPLE_RATE)


def levels(block: np.ndarray) -> np.ndarray:
    """The root mean square, in dB of full scale, of each frame of (samples,); -120 at least."""
    frames = -(-len(block) // FRAME)
    padded = np.zeros(frames * FRAME, np.float32)
    padded[: len(block)] = block
    power = np.square(padded.reshape(frames, FRAME), dtype=np.float64).mean(axis=1)
    return 20 * np.log10(np.maximum(np.sqrt(power), LOWEST))


class EnergyGate:
    """Takes for speech what is well above the quiet of a recording: a third of the way, in dB, to
    its loudest, and within 30 dB of it. Where nothing stands out, nobody speaks: speech has pauses.
    Music and sudden noises are as loud as speech, and pass."""

    def __call__(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        loudness = np.concatenate([levels(block) for block in blocks])
        quiet, loud = np.percentile(loudness, (10, 99))
        if loud - quiet < CONTRAST:
            return np.zeros(len(loudness), dtype=bool)
        least = max(quiet + 0.35 * (loud - quiet), loud - 30.0, -70.0)
        return loudness >= least


class Silero:
    """silero-vad, whose weights come in its wheel; a frame is speech above a probability of 0.5."""

    def __init__(self) -> None:
        from silero_vad import load_silero_vad  # optional: pip install --no-deps silero-vad

        self._model: Any = load_silero_vad()

    @torch.inference_mode()
    def __call__(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        self._model.reset_states()
        probabilities: list[float] = []
        for block in blocks:
            for frame in torch.from_numpy(block).split(FRAME):
                padded = torch.nn.functional.pad(frame, (0, FRAME - len(frame)))
                probabilities.append(float(self._model(padded, SAMPLE_RATE)))
        return np.array(probabilities) > 0.5


def join(is_speech: np.ndarray, loudness: np.ndarray, cut: Cut) -> list[tuple[int, int]]:
    """The first frame of each segment and the one after its last.

    Speech (frames,) between pauses is one segment, with a margin around it; one that is too long
    is cut where it is quietest, in its second half.
    """
    edges = np.flatnonzero(np.diff(is_speech.astype(np.int8), prepend=0, append=0)).tolist()
    joined: list[list[int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if joined and (start - joined[-1][1]) * SECONDS < cut.pause:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    spoken = [span for span in joined if (span[1] - span[0]) * SECONDS >= SHORTEST]
    margin, longest = round(MARGIN / SECONDS), round(cut.longest / SECONDS)
    segments: list[tuple[int, int]] = []
    for index, (start, end) in enumerate(spoken):
        # Of a pause, either neighbour has its own half.
        first = (spoken[index - 1][1] + start) // 2 if index > 0 else 0
        last = (end + spoken[index + 1][0]) // 2 if index + 1 < len(spoken) else len(is_speech)
        begin, stop = max(start - margin, first), min(end + margin, last)
        segments += _shortened(begin, stop, loudness, longest)
    return segments


def _shortened(start: int, end: int, loudness: np.ndarray, longest: int) -> list[tuple[int, int]]:
    smooth = np.ones(7) / 7  # a word has quiet frames, a pause several in a row
    parts = []
    while end - start > longest:
        around = np.convolve(loudness[start + longest // 2 : start + longest], smooth, mode="same")
        middle = start + longest // 2 + int(around.argmin())
        parts.append((start, middle))
        start = middle
    return [*parts, (start, end)]
