"""What all requests share: the models, the workers, and whether the service is closing."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from kaskad.models.recogniser import Recogniser
from kaskad.models.streaming import Stream, StreamingError
from kaskad.serving.batching import Workers
from kaskad.serving.figures import Figures
from kaskad.serving.limits import Limits


@dataclass(frozen=True)
class Model:
    """A recogniser by its name, a copy on each device; ``language`` is what it was trained on,
    ``created`` when, in seconds since 1970."""

    name: str
    copies: Sequence[Recogniser]
    language: str | None = None
    created: int = 0

    @property
    def sample_rate(self) -> int:
        """In Hz, the rate of the model."""
        return self.copies[0].features.sample_rate

    @property
    def why_not_streaming(self) -> str | None:
        """Why it cannot decode while somebody speaks, or ``None``."""
        try:
            self.copies[0].stream()
        except StreamingError as error:
            return str(error)
        return None


class UnknownModelError(ValueError):
    """There is no model of this name."""


@dataclass
class Service:
    """Models that are served. The first is meant where a request names none."""

    models: Mapping[str, Model]
    limits: Limits = field(default_factory=Limits)
    token: str | None = None

    def __post_init__(self) -> None:
        copies = {name: model.copies for name, model in self.models.items()}
        self.figures = Figures()
        self.workers = Workers(
            copies, self.limits.batch_seconds, self.limits.batch_wait, self.figures
        )
        # Threads that read files and wait for their hypotheses, and that decode streams.
        self.readers = ThreadPoolExecutor(self.limits.requests, "reader")
        self.stream_threads = [ThreadPoolExecutor(1, "thread") for _ in next(iter(copies.values()))]
        self.requests = 0
        self.streams = 0
        self.closing = asyncio.Event()

    def model(self, name: str | None) -> Model:
        """The model of this name; the first without one. Raises ``UnknownModelError``."""
        if not name:
            return next(iter(self.models.values()))
        if name in self.models:
            return self.models[name]
        raise UnknownModelError(
            f"there is no model '{name}': this service has {', '.join(self.models)}"
        )

    def stream(
        self, model: Model, sample_rate: int, endpoint: float | None
    ) -> tuple[Stream, ThreadPoolExecutor]:
        """A stream of a model, on one device after the other, and the thread that decodes it."""
        device = self.streams % len(self.stream_threads)
        return model.copies[device].stream(sample_rate, endpoint), self.stream_threads[device]

    def close(self) -> None:
        """End what is at work, then the threads."""
        self.readers.shutdown()
        self.workers.close()
        for thread in self.stream_threads:
            thread.shutdown()
