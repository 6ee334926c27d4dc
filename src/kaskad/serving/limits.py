"""How much a service takes on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a client may ask for.

    Args:
        requests: Transcriptions in work or waiting at a time; one more is asked to come back.
        megabytes: Of the body of a request.
        duration: Seconds of a recording, or of a stream.
        timeout: Seconds for a body to arrive, and again for a transcription to be made.
        streams: Streams at a time.
        idle: Seconds without audio after which a stream is closed.
        batch_seconds: Of audio in a batch, padding included.
        batch_wait: Seconds that an utterance waits for others to share its batch.
    """

    requests: int = 32
    megabytes: float = 25.0
    duration: float = 3_600.0
    timeout: float = 120.0
    streams: int = 16
    idle: float = 30.0
    batch_seconds: float = 120.0
    batch_wait: float = 0.005
