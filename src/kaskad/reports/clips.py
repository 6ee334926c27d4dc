"""Recordings small enough to travel inside a page."""

import base64
import io
from pathlib import Path

import soundfile

from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import Frames
from kaskad.audio.reading import read_audio

SAMPLE_RATE = 16_000
MOST_SECONDS = 180.0  # of audio: three quarters of a megabyte
# Between 0, the most bits, and 1: about 32 kbit/s, at which speech is easily understood.
COMPRESSION = 0.85


def from_here(path: str) -> str:
    """Paths as they are written from the working directory, where they lie in that; a page may be
    handed on, and where a person's folders lie is nobody's business."""
    return path.replace(f"{Path.cwd()}/", "")


class Clips:
    """Gives out recordings until there are ``MOST_SECONDS`` of them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def embed(self, path: str | None) -> dict[str, str]:
        """``audio``, a data URI of MP3, which every browser plays; or ``silence``, which says why
        there is none."""
        if not path:
            return {"silence": "the table does not say where the audio lies"}
        if Frames.at(path):
            return {"silence": "features, no audio"}
        try:
            waveform = read_audio(path, SAMPLE_RATE)
        except AudioError as error:
            return {"silence": f"no audio: {from_here(path)}: {error}"}
        seconds = len(waveform) / SAMPLE_RATE
        if self.seconds + seconds > MOST_SECONDS:
            return {"silence": f"left out to keep the page small: {from_here(path)}"}
        self.seconds += seconds
        file = io.BytesIO()
        soundfile.write(file, waveform, SAMPLE_RATE, format="MP3", compression_level=COMPRESSION)
        return {"audio": f"data:audio/mpeg;base64,{base64.b64encode(file.getvalue()).decode()}"}
