"""Which choices suit a corpus: what is read of it, and what follows from that, with the reasons.

The rules rest on what was measured in ``experiments/``; each names the figures it rests on.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from kaskad.data.checks import IS_FRAMES, DataError

MOST_LABELS = 200  # that a closed set has
FEWEST_EXAMPLES = 5  # of a label, on average, that a classifier learns from
LONGEST_LABEL = 4.0  # seconds that nearly all recordings of single words stay below
FEW_JUDGED = 200  # utterances of validation, of which a few lucky ones decide


@dataclass(frozen=True)
class Choice:
    """A setting of train.py, as ``key=value``, and why; ``group``: a file of conf/ is chosen."""

    key: str
    value: Any
    reason: str
    group: bool = False


@dataclass(frozen=True)
class Facts:
    """What a corpus is like: its training part, and of the others what that part has not."""

    utterances: int
    hours: float
    seconds: float  # of an utterance, on average
    longest: float  # seconds that 95 % of the utterances stay below
    speakers: int
    rates: tuple[int, ...]  # Hz, or frames a second
    bins: int | None  # of ready features
    transcripts: int
    words: int
    spoken: int  # words in all
    new_transcripts: int  # in validation and test alone
    new_words: int
    validated: int  # utterances
    validates_on_known: bool  # every speaker of validation trains, too
    tests_on_new: bool  # no speaker of the test trains

    @property
    def is_single(self) -> bool:
        """Whether each recording is one of a few words or commands."""
        return (
            self.transcripts <= MOST_LABELS
            and self.utterances >= FEWEST_EXAMPLES * self.transcripts
            and self.new_transcripts == 0
            and self.longest <= LONGEST_LABEL
            and self.bins is None
        )

    @property
    def is_closed(self) -> bool:
        """Whether everybody says the same few words, in whatever order."""
        return (
            self.words <= MOST_LABELS
            and self.spoken >= 2 * FEWEST_EXAMPLES * self.words
            and self.new_words == 0
        )


def facts_of(train: pl.DataFrame, validation: pl.DataFrame, test: pl.DataFrame) -> Facts:
    """Read the facts off manifests, as ``check_audio`` returns them.

    Raises ``DataError`` where nothing is to be trained on.
    """
    if train.is_empty():
        raise DataError("no utterance of this corpus can be trained on: nothing can be advised")
    known = Counter(word for text in train["text"] for word in text.split())
    later = [*validation["text"], *test["text"]]
    is_frames = train.select(IS_FRAMES.any()).item()
    trained, validated, tested = map(_speakers, (train, validation, test))
    seconds = train["duration"]
    total = float(seconds.sum())
    return Facts(
        utterances=train.height,
        hours=total / 3600,
        seconds=total / train.height,
        longest=float(seconds.quantile(0.95) or 0.0),
        speakers=len(trained),
        rates=tuple(train["sample_rate"].unique().sort()),
        bins=train["channels"][0] if is_frames else None,
        transcripts=train["text"].n_unique(),
        words=len(known),
        spoken=known.total(),
        new_transcripts=len(set(later) - set(train["text"])),
        new_words=len({word for text in later for word in text.split()} - known.keys()),
        validated=validation.height,
        validates_on_known=bool(validated) and validated <= trained,
        tests_on_new=bool(tested) and not tested & trained,
    )


def choices_for(facts: Facts) -> list[Choice]:
    """The choices that suit a corpus, the weightiest first."""
    kind = _for_single_words if facts.is_single else _for_strings_of_words
    choices = [*kind(facts), *_of_the_audio(facts), *_of_the_judging(facts)]
    return sorted(choices, key=lambda choice: not choice.group)


def _for_single_words(facts: Facts) -> Iterator[Choice]:
    yield Choice(
        "model",
        "word_classifier",
        f"each recording is one of {facts.transcripts} transcripts, and validation and test have "
        "no other: a classifier cannot spell a word that there is not (with tokenizer=phrases, "
        "features=words, augment=words)",
        group=True,
    )
    yield Choice("datamodule.max_utterances", 32, "words are short")
    yield Choice("datamodule.batch_seconds", 200.0, "batches end by their utterances instead")
    yield Choice("optimizer.lr", 0.003, "as for FSDD and the Russian commands")
    yield Choice("optimizer.weight_decay", 0.05, "a corpus of words is small")
    yield _epochs(facts, 1500, 32)


def _for_strings_of_words(facts: Facts) -> Iterator[Choice]:
    if facts.is_closed:
        yield Choice(
            "tokenizer",
            "words",
            f"{facts.words} words, each spoken {facts.spoken / facts.words:.0f} times, and "
            "validation and test have no other: labels of words cannot be spelt wrongly",
            group=True,
        )
        yield _epochs(facts, 1500, min(16, 12 / facts.seconds))
        yield Choice("datamodule.batch_seconds", 12.0, "few hours want many steps")
        return
    yield Choice(
        "tokenizer",
        "subwords" if facts.hours > 20 else "characters",
        f"{facts.words} words, and {facts.new_words} more in validation and test: words have to be "
        "spelt",
        group=True,
    )
    for key, value in {"hidden_size": 256, "layers": 3, "dropout": 0.4}.items():
        reason = "open vocabularies want size: AN4 has 21 % WER with 128 cells, 9.7 % with 256"
        yield Choice(f"model.encoder.{key}", value, reason)
    yield Choice("optimizer.lr", 0.003, "a larger net takes smaller steps")
    yield Choice("datamodule.batch_seconds", 40.0, "as for AN4")
    yield Choice("datamodule.max_utterances", 32, "as for AN4")
    yield _epochs(facts, 4000, min(32, 40 / facts.seconds))


def _of_the_audio(facts: Facts) -> Iterator[Choice]:
    if facts.bins is not None:
        reason = "the corpus comes as features, which no augmentation of sound fits"
        yield Choice("features", "precomputed", reason, group=True)
        yield Choice("augment", "spec", reason, group=True)
        yield Choice("features.bins", facts.bins, "the values of a frame")
        yield Choice("features.sample_rate", facts.rates[0], "frames a second")
        return
    lowest = facts.rates[0]
    if lowest < 16_000:
        others = len(facts.rates) > 1
        mixed = f"; {facts.rates[-1]} Hz is there too, and what only a part has misleads"
        reason = f"the recordings hold nothing above {lowest // 2} Hz{mixed if others else ''}"
        yield Choice("features.sample_rate", lowest, reason)
        if facts.is_single:
            yield Choice("features.high", 0.475 * lowest, "the filter of a telephone ends there")
    if not facts.is_single:
        reason = "background, channels and vocal tracts that the corpus has not"
        yield Choice("augment", "speaker", reason, group=True)


def _of_the_judging(facts: Facts) -> Iterator[Choice]:
    if facts.validated < FEW_JUDGED and facts.is_single:
        reason = f"{facts.validated} utterances of validation: averaged weights are no lucky ones"
        yield Choice("callbacks", "averaging", reason, group=True)
        yield Choice("callbacks.moving_average.decay", 0.99, "a run of a thousand steps or two")
    if not facts.validated and facts.speakers >= FEWEST_EXAMPLES:
        reason = f"no part validates: a fifth of the {facts.speakers} speakers can"
        yield Choice("data.validate_on", 0.2, reason)
    if facts.validates_on_known and facts.tests_on_new and facts.speakers >= FEWEST_EXAMPLES:
        reason = (
            "the test has new voices, and validation has those of the training: a fifth of the "
            f"{facts.speakers} speakers validate"
        )
        yield Choice("data.validate_on", 0.2, reason)


def _epochs(facts: Facts, steps: int, in_a_batch: float) -> Choice:
    batches = max(1, round(facts.utterances / max(1.0, in_a_batch)))
    epochs = min(100, max(4, round(steps / batches)))
    reason = f"about {epochs * batches} steps, of {batches} an epoch"
    return Choice("trainer.max_epochs", epochs, reason)


def _speakers(table: pl.DataFrame) -> set[str]:
    return set(table["speaker"].drop_nulls()) if "speaker" in table.columns else set()
