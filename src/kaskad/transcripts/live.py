"""Recordings transcribed while they are made: from a microphone, or a file played in real time."""

import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from kaskad.audio.reading import read_samples
from kaskad.models.recogniser import Recogniser
from kaskad.models.streaming import Stream
from kaskad.transcripts.transcript import Passage, Transcript

FILES, LIVE, MICROPHONE = "files", "live", "microphone"
SOURCES = (FILES, LIVE, MICROPHONE)
PART = 0.1  # seconds that are transcribed at a time
HIGHEST_RATE = 16_000  # Hz that a microphone is asked for

Parts = Iterator[np.ndarray]


class MicrophoneError(ValueError):
    """There is no microphone to record from; the message says what to do."""


def transcribe_live(
    recogniser: Recogniser, source: str, path: str, name: str, endpoint: float
) -> Transcript:
    """Show the words while they are spoken, until the recording or Ctrl-C ends it.

    Args:
        recogniser: What transcribes.
        source: ``live`` for a file as if it was being spoken, or ``microphone``.
        path: The file; of a microphone nothing.
        name: What the recording is called in files.
        endpoint: Seconds of silence that end an utterance, which is a passage of the transcript.

    Raises:
        StreamingError: If the recogniser needs whole utterances; nothing is read then.
        AudioError: If the file cannot be read.
        MicrophoneError: If there is none.
    """
    recogniser.stream()
    parts, rate = _microphone(recogniser) if source == MICROPHONE else _played(path)
    stream = recogniser.stream(rate, endpoint)
    passages: list[Passage] = []
    seconds = 0.0
    with suppress(KeyboardInterrupt):
        for part in parts:
            stream.push(part)
            seconds += len(part) / rate
            passages += _ended(stream)
            _show_on_terminal(stream.hypothesis.text)
    stream.finish()
    passages += _ended(stream)
    return Transcript(name, seconds, passages)


def _ended(stream: Stream) -> Iterator[Passage]:
    """Show the utterances that have ended, and give them."""
    for hypothesis in stream.take_ended():
        start, end = hypothesis.words[0].start, hypothesis.words[-1].end
        assert start is not None and end is not None  # CTC has times
        _show_on_terminal("")
        print(f"{start:8.2f} {hypothesis.text}", flush=True)
        yield Passage(start, end, hypothesis)


def _show_on_terminal(text: str) -> None:
    """The line that is not yet final, in place of what stood there before."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text[-100:]}", end="", flush=True)


def _played(path: str, wait: Callable[[float], None] = time.sleep) -> tuple[Parts, int]:
    """The parts of a file, each at the time at which it would have been spoken."""
    samples, rate = read_samples(path)

    def parts() -> Parts:
        began, size = time.monotonic(), round(PART * rate)
        for start in range(0, len(samples), size):
            part = samples[start : start + size]
            wait(max(0.0, began + (start + len(part)) / rate - time.monotonic()))
            yield part

    return parts(), rate


def _microphone(recogniser: Recogniser) -> tuple[Parts, int]:
    """What the microphone of this machine records."""
    try:
        import sounddevice  # optional: it needs PortAudio, which servers do not have
    except (ImportError, OSError) as error:
        raise MicrophoneError(
            f"source=microphone needs sounddevice and PortAudio ({error}): pip install "
            "sounddevice, and PortAudio of the system (apt install libportaudio2); source=live "
            "plays a file"
        ) from error
    rate = min(recogniser.features.sample_rate, HIGHEST_RATE)
    chunks: queue.Queue[np.ndarray] = queue.Queue()

    def keep(samples: np.ndarray, *about: object) -> None:
        chunks.put(samples[:, 0].copy())

    def parts() -> Parts:
        with sounddevice.InputStream(rate, round(PART * rate), channels=1, callback=keep):
            while True:
                yield chunks.get()

    try:
        sounddevice.check_input_settings(channels=1, samplerate=rate)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"source=microphone: no microphone can be recorded from at {rate} Hz: {error}"
        ) from error
    return parts(), rate
