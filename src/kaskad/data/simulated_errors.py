"""Errors like those that a recogniser made, put into any text."""

import random
from collections import Counter
from collections.abc import Sequence

from kaskad.metrics.alignment import Unit, align

NOTHING = ""  # what a word or letter is taken for that was not heard


class SimulatedErrors:
    """Puts errors into texts as often as ``hypotheses`` have them against ``references``.

    A word that the references have is taken for what it was taken for there, or not heard, at the
    same rates; of any other word the letters are. Between words, others are inserted that were
    inserted there. Errors are drawn place by place: they do not come in groups, as real ones do.
    """

    def __init__(self, references: Sequence[str], hypotheses: Sequence[str]) -> None:
        self._words = _Confusions(references, hypotheses, "words")
        self._letters = _Confusions(references, hypotheses, "characters")

    def __call__(self, texts: Sequence[str], seed: int) -> list[str]:
        """Each text with errors; the same ones for the same texts and ``seed``."""
        draw = random.Random(seed)
        return [self._with_errors(text, draw) for text in texts]

    def _with_errors(self, text: str, draw: random.Random) -> str:
        heard = [self._words.inserted(draw)]
        for word in text.split():
            if self._words.knows(word):
                heard.append(self._words.heard(word, draw))
            else:
                letters = (
                    self._letters.heard(letter, draw) + self._letters.inserted(draw)
                    for letter in word
                )
                heard.append("".join(letters))
            heard.append(self._words.inserted(draw))
        return " ".join(" ".join(heard).split())


class _Confusions:
    """What each word or letter was heard as, and what was heard between them."""

    def __init__(self, references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> None:
        heard: dict[str, Counter[str]] = {}
        insertions: Counter[str] = Counter()
        for reference, edits in zip(references, align(references, hypotheses, unit), strict=True):
            pairs = [pair for edit in edits for pair in edit.pairs()]
            for said, found in pairs:
                if said == NOTHING:
                    insertions[found] += 1
                else:
                    heard.setdefault(said, Counter())[found] += 1
            length = len(reference.split()) if unit == "words" else len(reference)
            inserted = sum(said == NOTHING for said, _ in pairs)
            insertions[NOTHING] += max(0, length + 1 - inserted)
        self._heard = {said: _Drawn(found) for said, found in heard.items()}
        self._inserted = _Drawn(insertions)

    def knows(self, said: str) -> bool:
        return said in self._heard

    def heard(self, said: str, draw: random.Random) -> str:
        return self._heard[said].one(draw) if said in self._heard else said

    def inserted(self, draw: random.Random) -> str:
        return self._inserted.one(draw)


class _Drawn:
    """Draws what was counted, as often as it was."""

    def __init__(self, counts: Counter[str]) -> None:
        self._found = sorted(counts)
        self._counts = [counts[found] for found in self._found]

    def one(self, draw: random.Random) -> str:
        return draw.choices(self._found, self._counts)[0]
