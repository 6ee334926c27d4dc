"""What an order of batches is."""

from typing import Protocol

import numpy as np


class BatchOrder(Protocol):
    """The batches of each passage through a corpus, equally many in all."""

    # Whether one passage through the corpus differs from the next.
    varies: bool
    durations: np.ndarray  # seconds, of each row

    def __len__(self) -> int:
        """How many batches a passage has."""

    def plan(self, passage: int) -> list[np.ndarray]:
        """The rows of each batch."""


def require_budget(batch_seconds: float, max_utterances: int) -> None:
    """Raise ``ValueError`` unless a batch may hold something, as every order takes for granted."""
    if not batch_seconds > 0:
        raise ValueError(f"batch_seconds={batch_seconds}: a batch holds more than 0 seconds")
    if max_utterances < 1:
        raise ValueError(f"max_utterances={max_utterances}: a batch holds 1 utterance or more")
