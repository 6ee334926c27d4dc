"""What every tokenizer offers: transcripts to label ids and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from kaskad.text.folding import without_stress_marks

BLANK = 0  # the id of the CTC blank, whatever the labels are
SHOWN = 5  # of the labels in which two tokenizers differ


class Tokenizer(ABC):
    """Labels, and the way from a transcript to their ids and back.

    A tokenizer is made without labels and takes them from training text (``fit``), or is made
    with what fitting found (``state``), which the configuration and the checkpoints of a run hold.
    """

    yo_as_ye = False
    """Whether ё is read as е."""

    stress_marks = False
    """Whether the accents stay that some dictionaries put on Cyrillic vowels."""

    phones: Callable[[Sequence[str]], list[str]] | None = None
    """Where labels are phones: takes decoded texts to phones between blanks, without borders."""

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """The text of each id; that of the blank is "".

        One after the other the labels of an utterance are its text, but for blanks at its ends:
        " " is a label of its own, or the first character of those that begin a word.
        """

    @abstractmethod
    def fit(self, transcripts: Iterable[str]) -> Self:
        """Take the labels from training text; raises ``ValueError`` over other ones."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What fitting found: arguments, plain values, that make the same tokenizer again."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, leaving out what no label stands for."""

    @abstractmethod
    def unknown(self, text: str) -> set[str]:
        """Return what of ``text`` no label stands for: characters, words or phones."""

    @property
    def size(self) -> int:
        """The number of labels, the blank included."""
        return len(self.labels)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of label ids, blanks left out."""
        labels = self.labels
        return "".join(labels[index] for index in ids).strip()

    def spell(self, transcripts: Sequence[str], language: str) -> list[str]:
        """Return transcripts, and so references, in the spelling of the labels."""
        spelt = list(transcripts) if self.stress_marks else without_stress_marks(transcripts)
        return [text.replace("ё", "е") for text in spelt] if self.yo_as_ye else spelt

    def summary(self) -> dict[str, Any]:
        """What a report says of this tokenizer, plain values."""
        return {"kind": type(self).__name__, "labels": self.size}


def difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Say how two lists of labels that are not the same differ."""
    differ = sorted(set(ours) ^ set(theirs))
    if not differ:
        return "they differ in their order"
    listed = ", ".join(map(repr, differ[:SHOWN]))
    return f"they differ in {listed}{', …' if len(differ) > SHOWN else ''}"
