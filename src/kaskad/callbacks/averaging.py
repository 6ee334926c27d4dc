"""Averaged weights: a moving average while training, the mean of the best checkpoints after it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from kaskad.runs.checkpoints import read_checkpoint


class MovingAverage(WeightAveraging):
    """Validates an exponential moving average of the weights, and keeps that as the checkpoint.

    Training goes on with the weights themselves. Of the average, the share ``decay`` stays at each
    step; in the first steps (1 + n) / (10 + n) if that is less, after n of them, so that the random
    beginning is soon forgotten. Source: Polyak, Juditsky, "Acceleration of stochastic approximation
    by averaging" (1992).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay is {decay}; it must be at least 0 and less than 1")

        def average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
            stays = min(decay, (1 + float(steps)) / (10 + float(steps)))
            return averaged * stays + current * (1.0 - stays)

        super().__init__(avg_fn=average)


def mean_weights(paths: Sequence[str | Path]) -> dict[str, Tensor]:
    """The mean over checkpoints of each of their weights; what is counted is taken of the first.

    Source: Vaswani et al., "Attention Is All You Need" (2017), section 6.1.
    """
    first, *others = (read_checkpoint(path)["state_dict"] for path in paths)
    return {
        name: torch.stack([weight, *(other[name] for other in others)]).mean(dim=0)
        if weight.is_floating_point()
        else weight
        for name, weight in first.items()
    }
