"""SpecAugment: parts of the features of a training batch are covered up."""

import torch
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Covers bands of bins and stretches of frames with zeros, drawn anew for each utterance.

    Zero is the mean of normalised features. ``frequency_width``: bins at most in a band, and never
    more than a third of them, as where there are 13 cepstra; ``time_width``: frames at most in a
    stretch, and never more than ``time_share`` of an utterance.
    ``forward(features (batch, frames, bins), lengths (batch,)) -> features``.
    Source: Park et al., "SpecAugment", Interspeech 2019, section 2 (without time warping).
    """

    def __init__(
        self,
        frequency_masks: int = 2,
        frequency_width: int = 15,
        time_masks: int = 2,
        time_width: int = 25,
        time_share: float = 0.1,
    ) -> None:
        super().__init__()
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_masks = time_masks
        self.time_width = time_width
        self.time_share = time_share

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        batch, frames, bins = features.shape
        full = torch.full((batch,), bins, device=features.device)
        widest = (full // 3).clamp(max=self.frequency_width)
        longest = (lengths * self.time_share).floor().clamp(max=self.time_width)
        covered = _stretches(full, widest, self.frequency_masks, bins)[:, None, :]
        covered = covered | _stretches(lengths, longest, self.time_masks, frames)[:, :, None]
        return features.masked_fill(covered, 0.0)


def _stretches(lengths: Tensor, widest: Tensor, count: int, size: int) -> Tensor:
    """Return (batch, size), True in ``count`` stretches inside each of ``lengths``: each 0 to
    ``widest`` wide, and any place as likely as any other."""
    draws = torch.rand(2, count, len(lengths), 1, device=lengths.device)
    width = (draws[0] * (widest[:, None] + 1)).floor()
    start = (draws[1] * (lengths[:, None] - width + 1)).floor()
    position = torch.arange(size, device=lengths.device)
    return ((position >= start) & (position < start + width)).any(0)
