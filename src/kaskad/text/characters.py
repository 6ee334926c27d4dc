"""Characters as labels: the tokenizer with the least to go wrong."""

from collections.abc import Iterable, Sequence
from typing import Self

from kaskad.text.tokenizer import BLANK


class CharacterTokenizer:
    """Transcript to label ids and back, a label a character; id 0 is the CTC blank.

    ``alphabet`` is what training text holds; ``None`` until ``fit``. It is saved in the
    configuration of the run and in its checkpoints.
    """

    def __init__(self, alphabet: Sequence[str] | None = None) -> None:
        self.alphabet = list(alphabet) if alphabet is not None else None

    def fit(self, transcripts: Iterable[str]) -> Self:
        """Take the alphabet from training text; refuses to be fitted over another one."""
        found = sorted(set().union(*map(set, transcripts)))
        if self.alphabet is not None and self.alphabet != found:
            raise ValueError(
                f"this tokenizer already has the alphabet {''.join(self.alphabet)!r}; "
                f"the training text has {''.join(found)!r}. Make a new tokenizer instead"
            )
        if not found:
            raise ValueError("the training transcripts are all empty: there is no alphabet in them")
        self.alphabet = found
        return self

    @property
    def size(self) -> int:
        """The number of labels, the blank included."""
        return len(self._letters()) + 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, leaving out what is not in the alphabet (see ``unknown``)."""
        ids = {letter: index for index, letter in enumerate(self._letters(), start=1)}
        return [ids[letter] for letter in text if letter in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of label ids, blanks left out."""
        letters = self._letters()
        return "".join(letters[index - 1] for index in ids if index != BLANK)

    def unknown(self, text: str) -> set[str]:
        """Return the characters of ``text`` that no label stands for."""
        return set(text) - set(self._letters())

    def _letters(self) -> list[str]:
        if self.alphabet is None:
            raise ValueError("the tokenizer has no alphabet yet: fit it on training text first")
        return self.alphabet
