"""Recordings as phones, browsers and Windows make them, encoded by FFmpeg's libraries."""

import io
import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np

RATE, SECONDS = 16_000, 1.0
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * SECONDS)) / RATE)).astype(np.float32)
# What it is called, and FFmpeg's names of its container and its codec, and the sample rate.
KINDS = {
    "an m4a of a phone": (".m4a", "ipod", "aac", 44_100),
    "an m4a without loss": (".m4a", "ipod", "alac", RATE),
    "a video": (".mp4", "mp4", "aac", RATE),
    "an aac that was streamed": (".aac", "adts", "aac", RATE),
    "a webm of a browser": (".webm", "webm", "libopus", 48_000),
    "a voice note": (".amr", "amr", "libopencore_amrnb", 8_000),
    "a call": (".3gp", "3gp", "libopencore_amrnb", 8_000),
    "a wma": (".wma", "asf", "wmav2", RATE),
    "a wavpack": (".wv", "wv", "wavpack", RATE),
    "a wav with wma in it": (".wav", "wav", "wmav2", RATE),
}


@cache
def encoded_by_ffmpeg(
    container: str, codec: str, rate: int, seconds: float = SECONDS, *, fast: bool = False
) -> bytes:
    """A tone of 440 Hz; ``fast``, with the index of an MP4 before its sound."""
    time = np.arange(int(rate * seconds)) / rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    options = {"movflags": "faststart"} if fast else {}
    # The index is moved by way of the name of the file.
    with (
        tempfile.NamedTemporaryFile() as file,
        av.open(file.name, "w", format=container, options=options) as output,
    ):
        stream = output.add_stream(codec, rate=rate)
        stream.layout = "mono"
        stream.bit_rate = 12_200 if "amr" in codec else 64_000
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        as_wanted = av.AudioResampler(stream.codec_context.format, "mono", rate)
        for part in (*as_wanted.resample(frame), None):
            output.mux(stream.encode(part))
        output.close()
        return Path(file.name).read_bytes()


def pictures_alone() -> bytes:
    """A film without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()
