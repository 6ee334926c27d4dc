"""Recordings small enough to travel inside a page."""

import base64
import io

import soundfile

from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import Frames
from kaskad.audio.reading import read_audio

SAMPLE_RATE = 16_000  # one that Opus knows
MOST_SECONDS = 180.0  # of audio: half a megabyte
# Between 0, the most bits, and 1: about 20 kbit/s, at which speech is easily understood.
COMPRESSION = 0.94


class Clips:
    """Gives out recordings until there are ``MOST_SECONDS`` of them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def embed(self, path: str | None) -> dict[str, str]:
        """``audio``, a data URI of OGG/Opus; or ``silence``, which says why there is none."""
        if not path:
            return {"silence": "the table does not say where the audio lies"}
        if Frames.at(path):
            return {"silence": "features, no audio"}
        try:
            waveform = read_audio(path, SAMPLE_RATE)
        except AudioError as error:
            return {"silence": f"no audio: {path}: {error}"}
        seconds = len(waveform) / SAMPLE_RATE
        if self.seconds + seconds > MOST_SECONDS:
            return {"silence": f"left out to keep the page small: {path}"}
        self.seconds += seconds
        file = io.BytesIO()
        soundfile.write(
            file, waveform, SAMPLE_RATE, "OPUS", format="OGG", compression_level=COMPRESSION
        )
        return {"audio": f"data:audio/ogg;base64,{base64.b64encode(file.getvalue()).decode()}"}
