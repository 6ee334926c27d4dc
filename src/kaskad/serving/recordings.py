"""Transcribes a file that somebody sent: read in parts, decoded in batches with others."""

import threading
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from time import monotonic

from kaskad.audio.files import AudioError
from kaskad.audio.reading import read_audio, read_header
from kaskad.audio.segments import Segment
from kaskad.audio.voice_activity import Cut, speech, voice_activity
from kaskad.decoding.hypothesis import moved
from kaskad.serving.service import Model, Service
from kaskad.transcripts.transcript import Passage, Transcript

CUT = Cut()  # of recordings that are longer than its longest segment
PARTS = 4  # of a long recording that are in memory at a time


class TooLongError(ValueError):
    """A recording lasts longer than the service allows."""


class StoppedError(RuntimeError):
    """Nobody waits for a transcript any more, or it took too long."""


class Transcription:
    """The transcript of one file; ``stop`` it where nobody waits for it any more."""

    def __init__(self, service: Service, model: Model, file: Path) -> None:
        self._service = service
        self._model = model
        self._file = file
        self._stopped = threading.Event()
        self._deadline = monotonic() + service.limits.timeout

    def stop(self) -> None:
        """Let ``run`` raise ``StoppedError`` soon."""
        self._stopped.set()

    def run(self) -> Transcript:
        """Read and transcribe the file; blocks until that is done.

        Raises:
            AudioError: If it is no audio.
            TooLongError: If it lasts too long.
            StoppedError: If it was stopped, or took too long.
        """
        duration = read_header(self._file).seconds
        most = self._service.limits.duration
        if duration > most:
            raise TooLongError(f"the recording lasts {duration:.0f} s, and at most {most:g} s do")
        passages: list[Passage] = []
        waiting: list[tuple[float, float]] = []
        for part in self._parts(duration):
            waiting.append(part)
            if len(waiting) == PARTS:
                passages += self._transcribed(waiting)
                waiting = []
        passages += self._transcribed(waiting)
        endpoint = "transcriptions"
        self._service.figures.audio.labels(self._model.name, endpoint).inc(duration)
        return Transcript(self._file.name, duration, passages)

    def _parts(self, duration: float) -> Iterator[tuple[float, float]]:
        """The seconds from which to which somebody may speak."""
        if duration <= CUT.longest:
            yield 0.0, duration
            return
        for start, end in speech(str(self._file), voice_activity(None), CUT):
            yield start, min(end, duration)

    def _transcribed(self, parts: list[tuple[float, float]]) -> Iterator[Passage]:
        self._check()
        rate = self._model.sample_rate
        whole = len(parts) == 1 and parts[0][0] == 0.0
        waveforms = [
            read_audio(
                str(self._file) if whole else str(Segment(str(self._file), start, end)), rate
            )
            for start, end in parts
        ]
        futures = self._service.workers.transcribe(self._model.name, waveforms)
        for (start, end), future in zip(parts, futures, strict=True):
            while not future.done():
                try:
                    future.result(timeout=0.1)
                except FutureTimeoutError:
                    if self._is_over:
                        for each in futures:
                            each.cancel()
                        self._check()
            hypothesis = future.result()
            if hypothesis.problem is not None:
                raise AudioError(hypothesis.problem)
            yield Passage(start, end, moved(hypothesis, start))

    @property
    def _is_over(self) -> bool:
        return self._stopped.is_set() or monotonic() > self._deadline

    def _check(self) -> None:
        if self._is_over:
            seconds = self._service.limits.timeout
            raise StoppedError(f"the transcription took longer than {seconds:g} s")
