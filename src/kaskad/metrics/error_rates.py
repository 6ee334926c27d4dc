"""How far hypotheses are from their references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jiwer

from kaskad.text.numerals import NUMERALS, words_to_number


@dataclass(frozen=True)
class ErrorCounts:
    """Words, characters or phones of references: right, replaced, left out; and those put in."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def reference_length(self) -> int:
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """(substitutions + deletions + insertions) / reference length: WER, CER, PER."""
        errors = self.substitutions + self.deletions + self.insertions
        return errors / max(1, self.reference_length)

    @property
    def rate_without_insertions(self) -> float:
        """(substitutions + deletions) / reference length: WERC, PERC."""
        return (self.substitutions + self.deletions) / max(1, self.reference_length)

    def counts(self) -> dict[str, int]:
        """The counts by their names."""
        return {
            "reference": self.reference_length,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
        }


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Align word by word, and count over all utterances."""
    return _count(jiwer.process_words, references, hypotheses, lambda text: len(text.split()))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Align character by character, blanks included, and count over all utterances."""
    return _count(jiwer.process_characters, references, hypotheses, len)


def _count(process, references, hypotheses, length) -> ErrorCounts:  # type: ignore[no-untyped-def]
    pairs = list(zip(references, hypotheses, strict=True))
    aligned = [(reference, hypothesis) for reference, hypothesis in pairs if reference]
    # jiwer refuses empty references: whatever is said against one was put in.
    put_in = sum(length(hypothesis) for reference, hypothesis in pairs if not reference)
    if not aligned:
        return ErrorCounts(insertions=put_in)
    out = process(*map(list, zip(*aligned, strict=True)))
    return ErrorCounts(out.hits, out.substitutions, out.deletions, out.insertions + put_in)


@dataclass(frozen=True)
class ErrorRates:
    """The figures of one test, all shares between 0 and 1 (error rates may pass 1).

    ``number_accuracy`` (the number is exactly right) and ``digit_errors`` (character errors of the
    numbers in digits) count utterances whose reference is a number, ``numbers`` of them; ``None``
    where there are none. ``phones`` is ``None`` where none were counted.
    """

    utterances: int
    words: ErrorCounts
    characters: ErrorCounts
    sentence_accuracy: float
    numbers: int
    number_accuracy: float | None
    digit_errors: ErrorCounts | None
    phones: ErrorCounts | None = None

    def figures(self) -> dict[str, float]:
        """The figures by the names under which they are logged and reported."""
        figures = {
            "wer": self.words.rate,
            "werc": self.words.rate_without_insertions,
            "cer": self.characters.rate,
            "sentence_accuracy": self.sentence_accuracy,
        }
        if self.phones is not None:
            figures["per"] = self.phones.rate
            figures["perc"] = self.phones.rate_without_insertions
        mostly_numbers = 2 * self.numbers >= self.utterances
        if mostly_numbers and self.number_accuracy is not None and self.digit_errors is not None:
            figures["number_accuracy"] = self.number_accuracy
            figures["digit_cer"] = self.digit_errors.rate
        return figures

    def counts(self) -> dict[str, Any]:
        """Errors of words, characters and phones, and how many references are numbers."""
        return {
            "words": self.words.counts(),
            "characters": self.characters.counts(),
            **({} if self.phones is None else {"phones": self.phones.counts()}),
            "numbers": self.numbers,
        }


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    language: str,
    phones: Callable[[Sequence[str]], list[str]] | None = None,
) -> ErrorRates:
    """Compare hypotheses with references (normalised transcripts), utterance by utterance.

    ``phones`` takes them to phones between blanks, which are compared without the borders of words.
    """
    pairs = list(zip(references, hypotheses, strict=True))
    spoken = (
        [
            (number, words_to_number(hypothesis, language, strict=True))
            for reference, hypothesis in pairs
            if (number := words_to_number(reference, language, strict=True)) is not None
        ]
        if language in NUMERALS
        else []
    )
    digits = [str(number) for number, _ in spoken], ["" if h is None else str(h) for _, h in spoken]
    return ErrorRates(
        utterances=len(pairs),
        words=word_errors(references, hypotheses),
        characters=character_errors(references, hypotheses),
        sentence_accuracy=_share(reference == hypothesis for reference, hypothesis in pairs),
        numbers=len(spoken),
        number_accuracy=_share(a == b for a, b in spoken) if spoken else None,
        digit_errors=character_errors(*digits) if spoken else None,
        phones=word_errors(phones(references), phones(hypotheses)) if phones else None,
    )


def _share(hits) -> float:  # type: ignore[no-untyped-def]
    hits = list(hits)
    return sum(hits) / max(1, len(hits))
