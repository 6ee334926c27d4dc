"""How far hypotheses are from their references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kaskad.metrics.alignment import Unit, align
from kaskad.metrics.bootstrap import Share, share
from kaskad.metrics.scores import Scores
from kaskad.text.folding import without_stress
from kaskad.text.numerals import LIMIT, NUMERALS, words_to_number

ERRORS = {"substitute": "substitutions", "delete": "deletions", "insert": "insertions"}
PLAIN = "plain_words"
MOST_DIGITS = len(str(LIMIT - 1))
# Of an utterance, in a table of ErrorRates.
WORD_ERRORS = pl.sum_horizontal("word_substitutions", "word_deletions", "word_insertions")


@dataclass(frozen=True)
class ErrorCounts:
    """Words, characters or phones of references: right, substituted, deleted, inserted."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def reference_length(self) -> int:
        return self.hits + self.substitutions + self.deletions

    def counts(self) -> dict[str, int]:
        """The counts by their names."""
        return {
            "reference": self.reference_length,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
        }


def count_errors(
    references: Sequence[str], hypotheses: Sequence[str], unit: Unit, name: str | None = None
) -> pl.DataFrame:
    """Align each utterance, and count: columns ``words`` (of the reference),
    ``word_substitutions``, ``word_deletions`` and ``word_insertions``, or as ``name`` says."""
    name = name or unit
    columns = _columns(name)
    places = {kind: place for place, kind in enumerate(ERRORS, start=1)}
    counts = np.zeros((len(references), len(columns)), dtype=np.int64)
    for row, edits in zip(counts, align(references, hypotheses, unit), strict=True):
        for edit in edits:
            row[0] += len(edit.reference)
            if edit.kind in places:
                row[places[edit.kind]] += len(edit.pairs())
    return pl.DataFrame(counts, schema=dict.fromkeys(columns, pl.Int64), orient="row")


class ErrorRates(Scores):
    """The figures of one test, all shares between 0 and 1 (error rates may pass 1).

    The table counts ``words`` and ``characters``, and ``phones`` where they were asked for, as
    ``count_errors`` does; the texts of these are ``reference_phones`` and ``hypothesis_phones``.
    Where ё or a stress mark was written, it counts ``plain_words`` without them, too. Where a
    reference is a number, ``number`` has it and ``number_hypothesis`` what was understood (null: no
    number), and ``digits`` are counted; ``number_accuracy`` (the number is exactly right) and
    ``digit_cer`` are figures if half of the references are numbers.
    """

    def errors(self, unit: str) -> ErrorCounts:
        """Of ``words``, ``characters``, ``digits`` or ``phones``, over all utterances."""
        return _total(self.table, unit)

    @property
    def numbers(self) -> int:
        """How many references are numbers."""
        return self.table["number"].count()

    def shares(self) -> dict[str, Share]:
        shares = {
            "wer": self._rate("words"),
            "werc": self._rate("words", insertions=False),
            "cer": self._rate("characters"),
            "sentence_accuracy": share(self.table["right"].to_numpy()),
        }
        if PLAIN in self.table.columns:
            shares["wer_plain"] = self._rate(PLAIN)
        if "phones" in self.table.columns:
            shares["per"] = self._rate("phones")
            shares["perc"] = self._rate("phones", insertions=False)
        if self._is_of_numbers:
            is_number = self.table["number"].is_not_null()
            right = (self.table["number"] == self.table["number_hypothesis"]).fill_null(False)
            shares["number_accuracy"] = share(right.to_numpy(), is_number.to_numpy())
            shares["digit_cer"] = self._rate("digits")
        return shares

    def counts(self) -> dict[str, Any]:
        """Errors of words, characters, phones and digits, and how many references are numbers."""
        units = ["words", "characters"]
        units += ["phones"] if "phones" in self.table.columns else []
        units += ["digits"] if self._is_of_numbers else []
        return {**{unit: self.errors(unit).counts() for unit in units}, "numbers": self.numbers}

    @property
    def _is_of_numbers(self) -> bool:
        return 0 < self.utterances <= 2 * self.numbers

    def _rate(self, unit: str, insertions: bool = True) -> Share:
        length, *errors = _columns(unit)
        counted = self.table.select(pl.sum_horizontal(errors if insertions else errors[:-1]))
        return share(counted.to_series().to_numpy(), self.table[length].to_numpy())


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    language: str,
    phones: Callable[[Sequence[str]], list[str]] | None = None,
) -> ErrorRates:
    """Compare hypotheses with references (normalised transcripts), utterance by utterance.

    ``phones`` takes them to phones between blanks, which are compared without the borders of words.
    """
    texts = {"reference": references, "hypothesis": hypotheses}
    table = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    numbers, recognised = (
        [_number(text, language) for text in column] for column in texts.values()
    )
    recognised = [
        other if number is not None else None
        for number, other in zip(numbers, recognised, strict=True)
    ]
    parts = [
        count_errors(references, hypotheses, "words"),
        count_errors(references, hypotheses, "characters"),
        count_errors(_digits(numbers), _digits(recognised), "characters", "digits"),
    ]
    plain_references, plain_hypotheses = without_stress(references), without_stress(hypotheses)
    if (plain_references, plain_hypotheses) != (list(references), list(hypotheses)):
        parts.append(count_errors(plain_references, plain_hypotheses, "words", PLAIN))
    if phones is not None:
        reference, hypothesis = phones(references), phones(hypotheses)
        parts.append(pl.DataFrame({"reference_phones": reference, "hypothesis_phones": hypothesis}))
        parts.append(count_errors(reference, hypothesis, "words", "phones"))
    return ErrorRates(
        pl.concat([table, *parts], how="horizontal").with_columns(
            pl.Series("number", numbers, pl.Int64),
            pl.Series("number_hypothesis", recognised, pl.Int64),
            right=pl.col("reference") == pl.col("hypothesis"),
        )
    )


def _number(text: str, language: str) -> int | None:
    """The whole number that ``text`` is; "007" is a string of digits, and no number here."""
    number = words_to_number(text, language) if language in NUMERALS else None
    if number is None or not number.isdecimal() or len(number) > MOST_DIGITS:
        return None
    return int(number) if str(int(number)) == number else None


def _digits(numbers: Sequence[int | None]) -> list[str]:
    return ["" if number is None else str(number) for number in numbers]


def _columns(unit: str) -> list[str]:
    return [unit, *(f"{unit[:-1]}_{error}" for error in ERRORS.values())]


def _total(table: pl.DataFrame, unit: str) -> ErrorCounts:
    length, substitutions, deletions, insertions = (int(table[c].sum()) for c in _columns(unit))
    return ErrorCounts(length - substitutions - deletions, substitutions, deletions, insertions)
