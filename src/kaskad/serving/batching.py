"""Utterances of many requests decoded in batches: a thread for each device, one queue for all."""

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from kaskad.decoding.hypothesis import Hypothesis
from kaskad.models.recogniser import Recogniser
from kaskad.serving.figures import Figures

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """An utterance, (samples,) at the rate of the model, that waits to be decoded."""

    model: str
    waveform: np.ndarray
    since: float = field(default_factory=monotonic)
    future: "Future[Hypothesis]" = field(default_factory=Future)


class Workers:
    """Decodes utterances with ``models``, of which there is a copy for each device.

    An utterance waits ``wait`` seconds for others of its model; together, padding included, they
    last ``batch_seconds`` at most.
    """

    def __init__(
        self,
        models: Mapping[str, Sequence[Recogniser]],
        batch_seconds: float,
        wait: float,
        figures: Figures,
    ) -> None:
        self._models = models
        self._batch_seconds = batch_seconds
        self._wait = wait
        self._figures = figures
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        devices = len(next(iter(models.values())))
        self._threads = [
            threading.Thread(target=self._work, args=(device,), daemon=True)
            for device in range(devices)
        ]
        for thread in self._threads:
            thread.start()

    def transcribe(self, model: str, waveforms: Sequence[np.ndarray]) -> "list[Future[Hypothesis]]":
        """Have (samples,) decoded, each as soon as there is room in a batch."""
        jobs = [Job(model, waveform) for waveform in waveforms]
        with self._changed:
            if self._is_closing:
                raise RuntimeError("the service is closing")
            self._jobs += jobs
            self._changed.notify_all()
        return [job.future for job in jobs]

    def close(self) -> None:
        """Decode what waits, then end the threads."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, device: int) -> None:
        while batch := self._next_batch():
            wanted = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if wanted:
                self._figures.batches.observe(len(wanted))
                _decode(self._models[wanted[0].model][device], wanted)

    def _next_batch(self) -> list[Job]:
        """The next utterances of one model; none once all are decoded and the service closes."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._jobs or self._is_closing)
                if not self._jobs:
                    return []
                left = self._jobs[0].since + self._wait - monotonic()
                if left > 0:
                    self._changed.wait_for(lambda: self._is_closing, left)
                batch = self._take()
                self._figures.waiting.set(len(self._jobs))
                if batch:  # else another worker was faster
                    return batch

    def _take(self) -> list[Job]:
        """The first utterance that waits, and as many of its model as a batch has room for."""
        batch: list[Job] = []
        longest = 0
        for job in list(self._jobs):
            if job.model != self._jobs[0].model:
                continue
            longest = max(longest, len(job.waveform))
            rate = self._models[job.model][0].features.sample_rate
            if batch and longest * (len(batch) + 1) > self._batch_seconds * rate:
                break
            batch.append(job)
        for job in batch:
            self._jobs.remove(job)
        return batch


def _decode(recogniser: Recogniser, jobs: Sequence[Job]) -> None:
    """Decode a batch; where one utterance fails, the others do not."""
    try:
        hypotheses = recogniser.decode_waveforms([job.waveform for job in jobs])
    except Exception as error:  # whatever it is, the worker lives
        if len(jobs) > 1:
            for job in jobs:
                _decode(recogniser, [job])
            return
        log.exception("an utterance could not be decoded")
        jobs[0].future.set_exception(error)
        return
    for job, hypothesis in zip(jobs, hypotheses, strict=True):
        job.future.set_result(hypothesis)
