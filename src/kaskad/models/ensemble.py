"""Several recognisers that decode as one."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from omegaconf import DictConfig, ListConfig
from torch import Tensor, nn

from kaskad.config.messages import ConfigurationError, nearest_first
from kaskad.corpora.crowd.rover import weighted_rover
from kaskad.data.batch import Batch
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.metrics.alignment import align
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.text.tokenizer import difference

# The mean of their posteriors in each frame, then decoded by the first; or a vote over their words.
Combination = Literal["posteriors", "rover"]


class Ensemble(Recogniser):
    """``members`` with the same labels, to transcribe and to be tested; it learns nothing.

    ``posteriors`` takes the mean of the probabilities of each frame, for members with CTC whose
    frames are as far apart, and decodes it as the first member does. ``rover`` lets each decode,
    and takes a vote word by word (Fiscus, 1997), in which a member weighs as much as it is sure of
    its words.
    """

    def __init__(self, members: Sequence[Recogniser], combine: Combination) -> None:
        super().__init__(members[0].features, members[0].tokenizer)
        self.members = nn.ModuleList(members)
        self.combine = combine

    def decode(self, batch: Batch) -> list[Hypothesis]:
        if self.combine == "posteriors":
            first = cast(CTCRecogniser, self.members[0])
            return first.decoder(*self.posteriors(batch))
        decoded = [cast(Recogniser, member).decode(batch) for member in self.members]
        return [vote(each) for each in zip(*decoded, strict=True)]

    def posteriors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The log of the members' mean probabilities (batch, frames', labels), and lengths."""
        each, lengths = zip(
            *(cast(CTCRecogniser, member).posteriors(batch) for member in self.members), strict=True
        )
        shortest = torch.stack(lengths).amin(dim=0)
        frames = min(log_probs.shape[1] for log_probs in each)
        together = torch.stack([log_probs[:, :frames] for log_probs in each])
        return together.logsumexp(dim=0) - math.log(len(each)), shortest


def vote(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """What most of some hypotheses of an utterance say, word by word.

    A word has the times of the most confident member that has it, and its confidence is the mean
    of all, 0 of those who did not.
    """
    ranked = sorted(hypotheses, key=lambda each: -_sure(each))
    words = weighted_rover([each.text.split() for each in ranked], [_sure(each) for each in ranked])
    text = " ".join(words)
    found: list[list[Word]] = [[] for _ in words]
    for each in ranked:
        places = iter(range(len(words)))
        ours = iter(each.words)
        for edit in next(align([text], [each.text], "words")) if text else []:
            for reference, hypothesis in edit.pairs():
                place = next(places) if reference else None
                word = next(ours, None) if hypothesis else None
                if edit.kind == "equal" and place is not None and word is not None:
                    found[place].append(word)
    score = sum(each.score for each in hypotheses) / len(hypotheses)
    joined = [_joined(word, same, len(hypotheses)) for word, same in zip(words, found, strict=True)]
    return Hypothesis(text, score, joined)


def _sure(hypothesis: Hypothesis) -> float:
    confidence = hypothesis.confidence
    return 1.0 if confidence is None else max(confidence, 0.01)  # nobody is without a voice


def _joined(text: str, same: Sequence[Word], voices: int) -> Word:
    known = [word.confidence for word in same if word.confidence is not None]
    start, end = (same[0].start, same[0].end) if same else (None, None)
    return Word(text, start, end, sum(known) / voices if known else None)


def load_ensemble(
    checkpoint: str | Path | Sequence[str] | ListConfig,
    combine: str | None,
    *,
    decoder: DictConfig | None = None,
    trusted: Sequence[str] = (),
) -> tuple[Recogniser, dict[str, Any]]:
    """As ``load_recogniser``, of one checkpoint or of several that decode as one.

    Args:
        checkpoint: one, or a list of them; folders of runs as well.
        combine: how several decode as one, a ``Combination``.
        decoder: replaces the decoder that each was trained with.
        trusted: packages, besides kaskad, whose classes a checkpoint may use.

    Returns:
        The recogniser, and the configuration of the run of the first.

    Raises:
        ConfigurationError: where ``combine`` does not fit the number of checkpoints, or is unknown.
        CheckpointError: where one cannot be loaded, or they do not fit together.
    """
    paths = [checkpoint] if isinstance(checkpoint, str | Path) else [*checkpoint]
    require_combination(combine, len(paths))
    loaded = [load_recogniser(path, decoder=decoder, trusted=trusted) for path in paths]
    if combine is None:
        return loaded[0]
    first, config = loaded[0]
    for path, (other, _) in zip(paths[1:], loaded[1:], strict=True):
        if fault := _misfit(first, other, combine):
            raise CheckpointError(f"{paths[0]} and {path} cannot decode as one: {fault}")
    return Ensemble([each for each, _ in loaded], cast(Combination, combine)).eval(), config


def require_combination(combine: str | None, count: int) -> None:
    """Raise ``ConfigurationError`` unless so many checkpoints can be combined so."""
    known = get_args(Combination)
    if combine is not None and combine not in known:
        raise ConfigurationError(
            f"combine={combine}: there is no such way; it is one of {nearest_first(combine, known)}"
        )
    if combine is None and count > 1:
        raise ConfigurationError(
            f"checkpoint names {count} of them; say how they decode as one: combine=posteriors, or "
            "combine=rover"
        )
    if combine is not None and count < 2:
        raise ConfigurationError(
            f"combine={combine} is for several checkpoints: 'checkpoint=[runs/a,runs/b]'"
        )


def _misfit(first: Recogniser, other: Recogniser, combine: str) -> str | None:
    """Why two recognisers cannot decode as one; ``None`` if they can."""
    ours, theirs = first.tokenizer.labels, other.tokenizer.labels
    if ours != theirs:
        return f"they have two alphabets; {difference(ours, theirs)}"
    for each in (first, other):
        if each.target != "text":
            return f"one recognises {each.target}, and only texts are combined"
    rates = first.features.sample_rate, other.features.sample_rate
    if rates[0] != rates[1]:
        return f"they take audio at {rates[0]} and {rates[1]} Hz"
    if combine == "rover":
        return None
    if not (isinstance(first, CTCRecogniser) and isinstance(other, CTCRecogniser)):
        return "combine=posteriors is for models with CTC; combine=rover is for any"
    if not math.isclose(first.seconds_per_frame, other.seconds_per_frame):
        frames = f"{first.seconds_per_frame:g} and {other.seconds_per_frame:g}"
        return f"their frames are {frames} s apart; combine=rover does not mind"
    return None
