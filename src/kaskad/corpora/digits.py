"""Strings of spoken digits, as telephone numbers and codes are spoken; synthesised on first use.

Nothing is downloaded.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from num2words import CONVERTER_CLASSES

from kaskad.corpora.synthesis import UTTERANCES, Line, Recipe, Source, synthesise
from kaskad.text.numerals import number_to_words

_RECIPE = 1  # raise when the same parameters begin to give other utterances


@dataclass(frozen=True)
class _Digits(Source):
    """Digit after digit: half of the strings in one breath, half with a pause after each digit."""

    languages = CONVERTER_CLASSES.keys()

    shortest: int
    longest: int

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"strings have shortest to longest digits, 1 <= shortest <= longest; "
                f"got shortest={self.shortest}, longest={self.longest}"
            )

    def line(self, draw: random.Random, language: str, index: int) -> Line:
        digits = draw.choices(range(10), k=draw.randint(self.shortest, self.longest))
        words = tuple(number_to_words(digit, language) for digit in digits)
        with_pauses = draw.random() < 0.5
        phrases = words if with_pauses else (" ".join(words),)
        return Line(phrases, digits[0] if len(digits) == 1 else None)


def make_digits(
    root: str | Path,
    split: str,
    *,
    language: str = "ru",
    utterances: Mapping[str, int] = UTTERANCES,
    shortest: int = 1,
    longest: int = 5,
    seed: int = 0,
    workers: int | None = None,
) -> pl.DataFrame:
    """Return one split of the corpus, as ``synthesise`` does; the first call makes the corpus.

    A string has ``shortest`` to ``longest`` digits, each length and each digit as likely as any
    other; 00557 is ``ноль ноль пять пять семь``. ``number`` is the digit where there is but one,
    else null: a string of digits is no number. ``utterances`` says how many each split has; one
    left out has none. ``language`` is a code that num2words and espeak-ng share: ``ru``, ``en``, …

    Raises ``ValueError`` for a split, language, length or count that cannot be, and ``OSError``
    with the folder's name if the disk is full; nothing half-made stays behind.
    """
    source = _Digits(shortest, longest)
    return synthesise(
        root, split, Recipe(_RECIPE, source, language, dict(utterances), seed), workers
    )
