"""What every tokenizer offers: transcripts to label ids and back."""

from collections.abc import Iterable
from typing import Protocol

BLANK = 0  # the id of the CTC blank, whatever the labels are


class Tokenizer(Protocol):
    """``size`` counts the labels, the blank included."""

    @property
    def size(self) -> int: ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, leaving out what no label stands for."""

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of label ids, blanks left out."""

    def unknown(self, text: str) -> set[str]:
        """Return the characters of ``text`` that no label stands for."""
