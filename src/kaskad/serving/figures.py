"""What the service measures of itself, as Prometheus reads it."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)


class Figures:
    """The figures of one service."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, time of the processor, open files
        self.requests = Counter(
            "kaskad_requests", "Requests answered", ["endpoint", "status"], registry=registry
        )
        self.seconds = Histogram(
            "kaskad_request_seconds",
            "From the first byte of a request to the last of its answer",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self.audio = Counter(
            "kaskad_audio_seconds", "Audio decoded", ["model", "endpoint"], registry=registry
        )
        self.batches = Histogram(
            "kaskad_batch_utterances",
            "Utterances decoded in one batch",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.waiting = Gauge(
            "kaskad_waiting_utterances", "Utterances that wait for a batch", registry=registry
        )
        self.streams = Gauge("kaskad_streams", "Streams that are open", registry=registry)

    def text(self) -> bytes:
        """All of them, in Prometheus' own format."""
        return generate_latest(self.registry)
