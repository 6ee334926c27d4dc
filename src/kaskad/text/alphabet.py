"""Tokenizers whose labels are an alphabet: each unit that training text is made of."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Self

from kaskad.text.tokenizer import Tokenizer, difference


class AlphabetTokenizer(Tokenizer):
    """A label a unit; a subclass says what a unit is: ``split``.

    ``alphabet`` is what training text holds; ``None`` until ``fit``. ``yo_as_ye`` reads ё as е, for
    transcripts that do not always tell them apart; ``stress_marks`` keeps accents on Cyrillic
    vowels.
    """

    before = ""
    """What stands before each unit in a text."""

    def __init__(
        self,
        alphabet: Sequence[str] | None = None,
        *,
        yo_as_ye: bool = False,
        stress_marks: bool = False,
    ) -> None:
        self.yo_as_ye = yo_as_ye
        self.stress_marks = stress_marks
        self.alphabet: list[str] | None = None
        if alphabet is not None:
            self._take(list(alphabet))

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """Return the units of a text, in their order."""

    def fit(self, transcripts: Iterable[str]) -> Self:
        units: set[str] = set()
        for text in transcripts:  # one by one: the units of a million are several GB
            units.update(self.split(text))
        found = sorted(units)
        if not found:
            raise ValueError("the training transcripts are all empty: there is no alphabet in them")
        if self.alphabet is not None and self.alphabet != found:
            raise ValueError(
                f"this tokenizer already has an alphabet of {len(self.alphabet)}; the training "
                f"text has one of {len(found)}; {difference(self.alphabet, found)}. Make a new "
                "tokenizer instead"
            )
        self._take(found)
        return self

    def state(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet}

    @property
    def labels(self) -> list[str]:
        self._require_alphabet()
        return self._labels

    def encode(self, text: str) -> list[int]:
        self._require_alphabet()
        return [self._ids[unit] for unit in self.split(text) if unit in self._ids]

    def unknown(self, text: str) -> set[str]:
        self._require_alphabet()
        return set(self.split(text)) - self._ids.keys()

    def _take(self, alphabet: list[str]) -> None:
        self.alphabet = alphabet
        self._labels = ["", *(self.before + unit for unit in alphabet)]
        self._ids = {unit: index for index, unit in enumerate(alphabet, start=1)}

    def _require_alphabet(self) -> None:
        if self.alphabet is None:
            raise ValueError("the tokenizer has no alphabet yet: fit it on training text first")
