"""Spoken numbers, synthesised on first use: the corpus that needs no download."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from num2words import CONVERTER_CLASSES

from kaskad.corpora.synthesis import UTTERANCES, Line, Recipe, Source, synthesise
from kaskad.corpora.voices import voices
from kaskad.text.numerals import LIMIT, number_to_words

__all__ = ["make_numbers", "voices"]

# Raise that of a language when the same parameters begin to give other utterances.
_RECIPES = {"en": 2}


@dataclass(frozen=True)
class _Numbers(Source):
    """Whole numbers in words, each in one breath."""

    languages = CONVERTER_CLASSES.keys()

    smallest: int
    largest: int

    def __post_init__(self) -> None:
        if not 0 <= self.smallest <= self.largest < LIMIT:
            raise ValueError(
                f"numbers run from smallest to largest, 0 <= smallest <= largest < {LIMIT}; "
                f"got smallest={self.smallest}, largest={self.largest}"
            )

    def line(self, draw: random.Random, language: str, index: int) -> Line:
        number = self._number(draw)
        return Line((number_to_words(number, language),), number)

    def _number(self, draw: random.Random) -> int:
        """Half uniform, half by the number of digits first: short numbers are rare otherwise."""
        if draw.random() < 0.5:
            return draw.randint(self.smallest, self.largest)
        digits = draw.randint(len(str(self.smallest)), len(str(self.largest)))
        least = 10 ** (digits - 1) if digits > 1 else 0
        return draw.randint(max(self.smallest, least), min(self.largest, 10**digits - 1))


def make_numbers(
    root: str | Path,
    split: str,
    *,
    language: str = "ru",
    utterances: Mapping[str, int] = UTTERANCES,
    smallest: int = 1,
    largest: int = 999_999,
    seed: int = 0,
    workers: int | None = None,
) -> pl.DataFrame:
    """Return one split of the corpus, as ``synthesise`` does; the first call makes the corpus.

    ``utterances`` says how many each split has; one left out has none. ``language`` is a code that
    num2words and espeak-ng share: ``ru``, ``en``, ``uk``, …

    Raises ``ValueError`` for a split, language, range or count that cannot be, and ``OSError`` with
    the folder's name if the disk is full; nothing half-made stays behind.
    """
    source = _Numbers(smallest, largest)
    return synthesise(
        root,
        split,
        Recipe(_RECIPES.get(language, 1), source, language, dict(utterances), seed),
        workers,
    )
