"""How likely CTC finds it that a transcript begins with some labels: its say in a search.

Source: Watanabe et al., "Hybrid CTC/Attention Architecture for End-to-End Speech Recognition"
(2017), section IV and algorithm 2.
"""

from typing import Generic, NamedTuple

import torch
from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.decoding.attention_beam import BOUNDARY, StateT, Step
from kaskad.text.tokenizer import BLANK

# The log-probability of what cannot be: finite, so that differences are numbers.
IMPOSSIBLE = -1e5


class Prefixes(NamedTuple):
    """What CTC knows of the labels so far of each row.

    ``label_last`` and ``blank_last`` (rows, frames + 1): the log-probability of the alignments of
    these labels that have come to their end by each frame, 0 before the first, and end in a label
    or in a blank. ``score`` (rows,): that a transcript begins with these labels. ``last`` (rows,).
    """

    label_last: Tensor
    blank_last: Tensor
    score: Tensor
    last: Tensor

    def take(self, rows: Tensor) -> "Prefixes":
        """Those of these rows, in this order."""
        return Prefixes(*(part[rows] for part in self))


class CTCPrefixes:
    """Goes through log-probabilities (rows, frames, labels) that last ``lengths`` (rows,), label by
    label."""

    def __init__(self, log_probs: Tensor, lengths: Tensor) -> None:
        outside = padding_mask(lengths, log_probs.shape[1])[:, :, None]
        self.log_probs = log_probs.float().masked_fill(outside, IMPOSSIBLE)
        self.lengths = lengths

    def begin(self) -> Prefixes:
        """Before the first label."""
        blanks = self.log_probs[:, :, BLANK].cumsum(dim=1)
        blank_last = torch.cat([torch.zeros_like(blanks[:, :1]), blanks], dim=1)
        label_last = torch.full_like(blank_last, IMPOSSIBLE)
        last = torch.full_like(self.lengths, BOUNDARY)
        return Prefixes(label_last, blank_last, blank_last[:, 0], last)

    def following(self, prefixes: Prefixes) -> Tensor:
        """That a transcript begins with these labels and each label after them: (rows, labels).

        At the place of the ``BOUNDARY``: that it ends with them.
        """
        ended = torch.logaddexp(prefixes.label_last, prefixes.blank_last)
        before = ended[:, :-1, None].expand_as(self.log_probs).clone()
        # The same label once more needs a blank between.
        rows = torch.arange(len(before), device=before.device)
        before[rows, :, prefixes.last] = prefixes.blank_last[:, :-1]
        scores = (before + self.log_probs).logsumexp(dim=1)
        scores[:, BOUNDARY] = ended.gather(1, self.lengths[:, None])[:, 0]
        return scores.clamp(min=IMPOSSIBLE)

    def extended(self, prefixes: Prefixes, labels: Tensor, scores: Tensor) -> Prefixes:
        """The prefixes with a label more in each row (rows,), whose ``scores`` (rows,) are known;
        nothing is added in a row whose label is the ``BOUNDARY``."""
        ended = torch.logaddexp(prefixes.label_last, prefixes.blank_last)
        again = (labels == prefixes.last)[:, None]
        before = torch.where(again, prefixes.blank_last, ended)[:, :-1]
        rows = torch.arange(len(labels), device=labels.device)
        spoken, silent = self.log_probs[rows, :, labels], self.log_probs[:, :, BLANK]
        label_last = [torch.full_like(scores, IMPOSSIBLE)]
        blank_last = [label_last[0]]
        for frame in range(spoken.shape[1]):
            either = torch.logaddexp(label_last[-1], blank_last[-1])
            new = torch.logaddexp(label_last[-1], before[:, frame]) + spoken[:, frame]
            label_last.append(new.clamp(min=IMPOSSIBLE))
            blank_last.append((either + silent[:, frame]).clamp(min=IMPOSSIBLE))
        longer = Prefixes(torch.stack(label_last, 1), torch.stack(blank_last, 1), scores, labels)
        stays = labels == BOUNDARY
        return Prefixes(
            *(
                torch.where(stays.view(-1, *[1] * (old.dim() - 1)), old, new)
                for old, new in zip(prefixes, longer, strict=True)
            )
        )


class JointState(NamedTuple, Generic[StateT]):
    """What attention and CTC remember of each row; ``scores`` are what CTC made of what may follow
    the labels so far (rows, labels)."""

    attention: StateT
    prefixes: Prefixes
    scores: Tensor

    def take(self, rows: Tensor) -> "JointState[StateT]":
        """The state of these rows, in this order."""
        return JointState(self.attention.take(rows), self.prefixes.take(rows), self.scores[rows])


def joint_step(
    step: Step[StateT], state: StateT, ctc: CTCPrefixes, weight: float
) -> tuple[Step[JointState[StateT]], JointState[StateT]]:
    """The step and the first state of a search in which CTC has its say, with a share of ``weight``
    in the log-probability of each label."""
    begun = ctc.begin()

    def both(last: Tensor, state: JointState[StateT]) -> tuple[Tensor, JointState[StateT]]:
        log_probs, attention = step(last, state.attention)
        scores = state.scores.gather(1, last[:, None])[:, 0]
        prefixes = ctc.extended(state.prefixes, last, scores)
        following = ctc.following(prefixes)
        of_ctc = following - prefixes.score[:, None]
        joint = (1.0 - weight) * log_probs + weight * of_ctc
        return joint, JointState(attention, prefixes, following)

    return both, JointState(state, begun, torch.zeros_like(ctc.log_probs[:, 0]))
