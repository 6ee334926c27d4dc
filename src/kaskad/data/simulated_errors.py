"""Errors like those that a recogniser made, put into any text."""

import random
from collections import Counter
from collections.abc import Sequence

from kaskad.metrics.alignment import Unit, align

NOTHING = ""  # what a word or letter is taken for that was left out


class SimulatedErrors:
    """Puts errors into texts as often as ``hypotheses`` have them against ``references``.

    A word that the references have is taken for what it was taken for there, or left out, at the
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
        written = [self._words.inserted(draw)]
        for word in text.split():
            if self._words.knows(word):
                written.append(self._words.taken_for(word, draw))
            else:
                letters = (
                    self._letters.taken_for(letter, draw) + self._letters.inserted(draw)
                    for letter in word
                )
                written.append("".join(letters))
            written.append(self._words.inserted(draw))
        return " ".join(" ".join(written).split())


class _Confusions:
    """What each word or letter was taken for, and what was put between them."""

    def __init__(self, references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> None:
        written: dict[str, Counter[str]] = {}
        insertions: Counter[str] = Counter()
        for reference, edits in zip(references, align(references, hypotheses, unit), strict=True):
            pairs = [pair for edit in edits for pair in edit.pairs()]
            for spoken, found in pairs:
                if spoken == NOTHING:
                    insertions[found] += 1
                else:
                    written.setdefault(spoken, Counter())[found] += 1
            length = len(reference.split()) if unit == "words" else len(reference)
            inserted = sum(spoken == NOTHING for spoken, _ in pairs)
            insertions[NOTHING] += max(0, length + 1 - inserted)
        self._taken_for = {spoken: _Drawn(found) for spoken, found in written.items()}
        self._inserted = _Drawn(insertions)

    def knows(self, spoken: str) -> bool:
        return spoken in self._taken_for

    def taken_for(self, spoken: str, draw: random.Random) -> str:
        return self._taken_for[spoken].one(draw) if spoken in self._taken_for else spoken

    def inserted(self, draw: random.Random) -> str:
        return self._inserted.one(draw)


class _Drawn:
    """Draws what was counted, as often as it was."""

    def __init__(self, counts: Counter[str]) -> None:
        self._found = sorted(counts)
        self._counts = [counts[found] for found in self._found]

    def one(self, draw: random.Random) -> str:
        return draw.choices(self._found, self._counts)[0]
