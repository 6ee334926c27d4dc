"""Batch normalisation that padding has no say in."""

import torch.nn.functional as F
from torch import Tensor, nn


class MaskedBatchNorm(nn.BatchNorm1d):
    """Mean and variance of the true frames alone, so that padding does not change them.

    ``forward(frames (batch, frames, dim), outside (batch, frames)) -> (batch, frames, dim)``, where
    ``outside`` is True beyond the end. A batch of a single frame, which has no variance, is
    normalised as in use.
    """

    def forward(self, frames: Tensor, outside: Tensor) -> Tensor:  # type: ignore[override]
        inside = ~outside
        true_frames = frames[inside] if self.training else frames[:0, 0]
        if len(true_frames) < 2:
            return F.batch_norm(
                frames.flatten(0, 1),
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                eps=self.eps,
            ).view_as(frames)
        values = super().forward(true_frames)
        normalised = values.new_zeros(frames.shape)
        normalised[inside] = values
        return normalised
