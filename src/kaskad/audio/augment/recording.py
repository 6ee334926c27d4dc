"""Log energies of a batch are varied as if recorded otherwise: another microphone, more noise.

All of them: ``energies (batch, frames, bins), lengths (batch,) -> energies``, drawn anew for each
utterance from PyTorch's generator.
"""

import math

import torch
from torch import Tensor, nn

from kaskad.audio.normalise import DECIBEL, loudest

COSINES = 5  # of which a smooth curve over the bins is made


class Channel(nn.Module):
    """Adds a smooth curve over the bins, constant in time, as another microphone or room would.

    ``decibel`` is the standard deviation of the first of the cosines that make the curve; the nth
    has it divided by the root of n.
    """

    def __init__(self, decibel: float = 3.0) -> None:
        super().__init__()
        self.decibel = decibel

    def forward(self, energies: Tensor, lengths: Tensor) -> Tensor:
        return energies + smooth_curves(energies, self.decibel)


class Noise(nn.Module):
    """Adds steady noise of a random smooth spectrum to the share ``p`` of the utterances.

    ``snr``: dB from the noise to the loudest frames of the speech, lowest and highest.
    """

    def __init__(self, p: float = 0.3, snr: tuple[float, float] = (15.0, 45.0)) -> None:
        super().__init__()
        self.p = p
        self.lowest, self.highest = snr

    def forward(self, energies: Tensor, lengths: Tensor) -> Tensor:
        draws = torch.rand(2, len(lengths), 1, 1, device=energies.device)
        distance = self.lowest + (self.highest - self.lowest) * draws[0]
        peak = loudest(energies.logsumexp(2), lengths)[:, None, None] - math.log(energies.shape[2])
        level = peak - distance * DECIBEL + smooth_curves(energies, 3.0)
        # The energy of noise in a band is about that of a few independent exponential draws.
        fluctuating = level + 0.7 * torch.randn_like(energies) - 0.25
        return torch.where(draws[1] < self.p, torch.logaddexp(energies, fluctuating), energies)


def smooth_curves(energies: Tensor, decibel: float) -> Tensor:
    """A random smooth curve over the bins for each of (batch, frames, bins): (batch, 1, bins)."""
    batch, _, bins = energies.shape
    order = torch.arange(1, COSINES + 1, device=energies.device)[:, None]
    centre = (torch.arange(bins, device=energies.device) + 0.5) / bins
    cosines = torch.cos(math.pi * order * centre) / order.sqrt()
    sizes = decibel * DECIBEL * torch.randn(batch, COSINES, device=energies.device)
    return (sizes @ cosines)[:, None]
