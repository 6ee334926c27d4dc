"""Beam search with a net that says, label after label, what may come next."""

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from kaskad.text.tokenizer import BLANK

# Begins and ends every transcript: attention has no other use for CTC's blank, label 0.
BOUNDARY = BLANK


class State(Protocol):
    """What the net remembers of each row of a batch."""

    def take(self, rows: Tensor) -> Self:
        """The state of these rows, in this order."""


StateT = TypeVar("StateT", bound=State)
# The last labels (rows,), a state -> log-probabilities of the next (rows, size), the new state.
Step = Callable[[Tensor, StateT], tuple[Tensor, StateT]]


class AttentionBeamSearch:
    """Keeps the ``beam`` likeliest beginnings of each utterance; 1 is greedy search.

    Of the finished ones that remain, the winner has the highest score divided by its number of
    labels, the end included, to the power ``length_normalisation``: 0 prefers short ones, 1
    compares them label by label. After Wu et al., "Google's Neural Machine Translation System"
    (2016), section 7. A hypothesis that has ``labels_per_second`` times the seconds of its audio,
    rounded up, of labels is ended there. ``ctc_weight`` is the share of CTC in the score, where a
    recogniser has it as well: see ``joint_step``.
    """

    def __init__(
        self,
        beam: int = 4,
        length_normalisation: float = 0.6,
        labels_per_second: float = 30.0,
        ctc_weight: float = 0.0,
    ) -> None:
        if beam < 1:
            raise ValueError(f"beam is {beam}; it must be 1 (greedy) or more")
        if not 0.0 <= ctc_weight < 1.0:
            raise ValueError(f"search.ctc_weight is {ctc_weight}; it is a share from 0 to below 1")
        self.beam = beam
        self.length_normalisation = length_normalisation
        self.labels_per_second = labels_per_second
        self.ctc_weight = ctc_weight

    def __call__(
        self, step: Step[StateT], state: StateT, seconds: Tensor
    ) -> list[tuple[list[int], float]]:
        """Search in utterances that last ``seconds`` (batch,): the labels of each, without the end,
        and the logarithm of their probability, with it.

        ``state`` has a row for each beam: ``beam`` equal rows an utterance, batch * beam in all.
        """
        limits = (seconds * self.labels_per_second).ceil().long()
        return [found[0] for found in self.n_best(step, state, limits)]

    def n_best(
        self, step: Step[StateT], state: StateT, limits: Tensor
    ) -> list[list[tuple[list[int], float]]]:
        """All that remain of each utterance, the best first, where one has at most as many labels
        as ``limits`` (batch,) says. ``state`` as above."""
        first_row = torch.arange(len(limits), device=limits.device)[:, None] * self.beam
        # At first all beams of an utterance are the same one.
        scores = torch.full((len(limits), self.beam), -torch.inf, device=limits.device)
        scores[:, 0] = 0.0
        last = torch.full_like(scores, BOUNDARY, dtype=torch.long)
        ended = torch.zeros_like(scores, dtype=torch.bool)
        labels = last[:, :, None][:, :, :0]
        for position in range(int(limits.max()) + 1):
            log_probs, state = step(last.flatten(), state)
            log_probs = log_probs.view(*scores.shape, -1)
            size = log_probs.shape[2]
            must_end = ended | (position >= limits)[:, None]
            end = log_probs[:, :, BOUNDARY].masked_fill(ended, 0.0)
            log_probs = log_probs.masked_fill(must_end[:, :, None], -torch.inf)
            log_probs[:, :, BOUNDARY] = end
            scores, best = (scores[:, :, None] + log_probs).flatten(1).topk(self.beam)
            beams, last = best // size, best % size
            state = state.take((first_row + beams).flatten())
            ended = ended.gather(1, beams) | (last == BOUNDARY)
            labels = labels.gather(1, beams[:, :, None].expand_as(labels))
            labels = torch.cat([labels, last[:, :, None]], dim=2)
            if ended.all():
                break
        counts = (labels != BOUNDARY).sum(dim=2)
        ranks = (scores / (counts + 1) ** self.length_normalisation).argsort(
            dim=1, descending=True, stable=True
        )
        possible = scores.isfinite().tolist()
        return [
            [
                (labels[row, beam, : counts[row, beam]].tolist(), float(scores[row, beam]))
                for place, beam in enumerate(order)
                if place == 0 or possible[row][beam]
            ]
            for row, order in enumerate(ranks.tolist())
        ]
