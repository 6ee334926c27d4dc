"""Samples as features: for encoders that make features of their own."""

import torch
from torch import Tensor

from kaskad.audio.features import Features
from kaskad.audio.masks import Count


class Samples(Features):
    """Samples as they are, one a frame: (batch, samples) -> (batch, frames, 1).

    What varies energies in training has nothing to vary here: ``augment=waveform`` does.
    """

    def __init__(self, sample_rate: int = 16_000) -> None:
        super().__init__(sample_rate, 1 / sample_rate, 1, "none")

    def energies(self, waveforms: Tensor) -> Tensor:
        return waveforms[:, :, None]

    def loudness(self, energies: Tensor) -> Tensor:
        return torch.zeros_like(energies[:, :, 0])

    def frame_count(self, samples: Count) -> Count:
        return samples
