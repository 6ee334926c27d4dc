"""What an order of batches is."""

from abc import ABC, abstractmethod

import numpy as np
import polars as pl


class BatchOrder(ABC):
    """The batches of each passage through a corpus, equally many in all.

    Args:
        manifest: The utterances; its column ``duration`` is in seconds.
        batch_seconds: A batch holds at most so many, padding included.
        max_utterances: And at most so many utterances.
        seed: What is drawn follows from this number.

    Raises:
        ValueError: Where a batch could hold nothing.
    """

    # Whether one passage through the corpus differs from the next.
    varies = True

    def __init__(
        self, manifest: pl.DataFrame, batch_seconds: float, max_utterances: int, seed: int = 0
    ) -> None:
        require_budget(batch_seconds, max_utterances)
        self.durations = manifest["duration"].to_numpy()
        self.seed = seed

    @abstractmethod
    def __len__(self) -> int:
        """How many batches a passage has."""

    @abstractmethod
    def plan(self, passage: int) -> list[np.ndarray]:
        """The rows of each batch."""


def require_budget(batch_seconds: float, max_utterances: int) -> None:
    """Raise ``ValueError`` unless a batch may hold something, as every order takes for granted."""
    if not batch_seconds > 0:
        raise ValueError(f"batch_seconds={batch_seconds}: a batch holds more than 0 seconds")
    if max_utterances < 1:
        raise ValueError(f"max_utterances={max_utterances}: a batch holds 1 utterance or more")
