"""What a decoder says was spoken."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Word:
    """A word and when it was said, in seconds from the start of the utterance."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """``score`` is the natural logarithm of the probability of the path that was taken."""

    text: str
    score: float
    words: list[Word] = field(default_factory=list)
