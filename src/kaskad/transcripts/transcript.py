"""The transcript of a whole recording, put together from those of its parts."""

from dataclasses import dataclass, field, replace

from kaskad.decoding.hypothesis import Hypothesis, Word


@dataclass(frozen=True)
class Passage:
    """What was recognised from ``start`` to ``end`` (seconds of the recording) of one ``channel``,
    counted from 0, or of all together (``None``); its words have the times of the recording."""

    start: float
    end: float
    hypothesis: Hypothesis
    channel: int | None = None

    @property
    def text(self) -> str:
        return self.hypothesis.text

    @property
    def words(self) -> list[Word]:
        return self.hypothesis.words


@dataclass(frozen=True)
class Transcript:
    """The transcript of a recording: ``passages`` in the order of time, or the ``error`` for which
    there are none. ``name`` is what the recording is called in files, ``duration`` its seconds,
    and ``channels`` are those that were transcribed apart; ``None`` stands for all together."""

    name: str
    duration: float
    passages: list[Passage] = field(default_factory=list)
    error: str | None = None
    channels: tuple[int | None, ...] = (None,)

    @property
    def text(self) -> str:
        return " ".join(passage.text for passage in self.passages if passage.text)

    @property
    def uncorrected(self) -> str | None:
        """The text before a corrector looked through it; ``None`` without one, or passages."""
        before = [passage.hypothesis.uncorrected for passage in self.passages]
        known = [text for text in before if text is not None]
        return " ".join(text for text in known if text) if known else None

    @property
    def words(self) -> list[Word]:
        return [word for passage in self.passages for word in passage.words]

    @property
    def confidence(self) -> float | None:
        """The mean confidence of its words; ``None`` without words, or where one has none."""
        return Hypothesis("", 0.0, self.words).confidence

    def of_channel(self, channel: int | None) -> "Transcript":
        """What was recognised on one channel."""
        passages = [passage for passage in self.passages if passage.channel == channel]
        return replace(self, passages=passages, channels=(channel,))


def without_unsure(hypothesis: Hypothesis, least: float) -> Hypothesis:
    """A hypothesis without the words whose confidence is less; its text is what is left."""
    kept = [
        word for word in hypothesis.words if word.confidence is None or word.confidence >= least
    ]
    if len(kept) == len(hypothesis.words):
        return hypothesis
    return replace(hypothesis, words=kept, text=" ".join(word.text for word in kept))
