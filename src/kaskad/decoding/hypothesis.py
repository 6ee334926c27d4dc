"""What a decoder says was spoken."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Word:
    """A word, when it was spoken and how sure the recogniser is of it.

    ``start`` and ``end`` are in seconds from the start of the utterance; ``None`` where the
    recogniser has no frames to tell them from. ``confidence``, from 0 to 1, is the probability of
    its labels; ``None`` where the recogniser has none to give.
    """

    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Hypothesis:
    """What a recogniser makes of an utterance.

    ``score`` is what the decoder ranked it by: the natural logarithm of the probability of its
    alignments, and whatever a language model adds; ``acoustic_score`` is that without the language
    model. ``alternatives`` are the runners-up of an n-best list, best first. ``problem`` says why
    an utterance could not be decoded, and so has no words. ``uncorrected`` is the text before a
    corrector looked through it, ``None`` without one.
    """

    text: str
    score: float
    words: list[Word] = field(default_factory=list)
    acoustic_score: float | None = None
    alternatives: list["Hypothesis"] = field(default_factory=list)
    problem: str | None = None
    uncorrected: str | None = None

    @property
    def confidence(self) -> float | None:
        """The mean confidence of its words; ``None`` without words, or where one has none."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known and len(known) == len(self.words) else None


def best_of(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The first of an n-best list, with the others as its alternatives."""
    best, *others = hypotheses
    return replace(best, alternatives=others)


def moved(hypothesis: Hypothesis, seconds: float) -> Hypothesis:
    """A hypothesis whose words, and those of its alternatives, come so much later."""
    words = [
        word
        if word.start is None or word.end is None
        else replace(word, start=round(word.start + seconds, 3), end=round(word.end + seconds, 3))
        for word in hypothesis.words
    ]
    others = [moved(other, seconds) for other in hypothesis.alternatives]
    return replace(hypothesis, words=words, alternatives=others)
