"""What a decoder says was spoken."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Word:
    """A word and when it was said, in seconds from the start of the utterance."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """What was said in an utterance.

    ``score`` is what the decoder ranked it by: the natural logarithm of the probability of its
    alignments, and whatever a language model adds; ``acoustic_score`` is that without the language
    model. ``alternatives`` are the runners-up of an n-best list, best first. ``problem`` says why
    an utterance could not be decoded, and so has no words.
    """

    text: str
    score: float
    words: list[Word] = field(default_factory=list)
    acoustic_score: float | None = None
    alternatives: list["Hypothesis"] = field(default_factory=list)
    problem: str | None = None


def best_of(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The first of an n-best list, with the others as its alternatives."""
    best, *others = hypotheses
    return replace(best, alternatives=others)
