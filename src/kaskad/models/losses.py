"""Losses by their names: the sum that is minimised, and means over corpora and processes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kaskad.runs import distributed

Losses = dict[str, Tensor]


def with_total(losses: Mapping[str, Tensor], shares: Mapping[str, float]) -> Losses:
    """``loss``, which is minimised, and each of its parts as it is logged: ``loss_ctc``.

    A part of Inf is left out of the sum where another is not: attention learns from an utterance
    that has too few frames for CTC. The sum is NaN where a part is.

    Args:
        losses: By name, of each utterance (batch,).
        shares: How much of each is in the sum, by the same names.

    Returns:
        ``loss`` alone where there is one part, which it is.
    """
    parts = torch.stack([losses[name] for name in shares])
    impossible = parts.isposinf()
    weights = torch.tensor([*shares.values()], device=parts.device)
    total = (weights[:, None] * parts.masked_fill(impossible, 0.0)).sum(dim=0)
    total = total.masked_fill(impossible.all(dim=0), torch.inf)
    named = {f"loss_{name}": loss for name, loss in losses.items()}
    return {"loss": total, **(named if len(named) > 1 else {})}


def sums_and_counts(losses: Sequence[Losses]) -> tuple[Tensor, Tensor]:
    """The sums of what is finite and how much that is, over all processes: (names, corpora) each.

    ``losses`` has an entry a corpus, all with the same names.
    """
    rows = [[each[name].detach() for each in losses] for name in losses[0]]
    sums = [torch.stack([v.where(v.isfinite(), 0.0).sum() for v in row]) for row in rows]
    counts = [torch.stack([v.isfinite().sum() for v in row]) for row in rows]
    everywhere = distributed.total(torch.stack([torch.stack(sums), torch.stack(counts).float()]))
    return everywhere[0], everywhere[1]
