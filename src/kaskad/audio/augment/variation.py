"""How log energies of a training batch are varied before they are normalised, on the device."""

import math

import torch
from torch import Tensor, nn

from kaskad.audio.augment.recording import Channel, Noise
from kaskad.audio.augment.timing import Pad, Tempo, Truncate

WARPS = 41  # lengths of the vocal tract, evenly spaced in the logarithm


class Variation(nn.Module):
    """Other voices (``warp``, ``tempo``), other recordings (``channel``, ``noise``), more or less
    around the speech (``truncate``, ``pad``); what is ``None`` is left out.

    ``warp`` is the share by which a vocal tract is shorter or longer at most: features with mel
    filters draw one of ``warps`` for each utterance. ``timing`` and ``recording`` come after that,
    in this order.
    Source of the warp: Jaitly and Hinton, "Vocal Tract Length Perturbation" (2013).
    """

    def __init__(
        self,
        warp: float = 0.0,
        tempo: Tempo | None = None,
        truncate: Truncate | None = None,
        pad: Pad | None = None,
        channel: Channel | None = None,
        noise: Noise | None = None,
    ) -> None:
        super().__init__()
        self.warp = warp
        self.steps_in_time = nn.ModuleList(each for each in (tempo, truncate, pad) if each)
        self.steps_in_sound = nn.ModuleList(each for each in (channel, noise) if each)

    @property
    def warps(self) -> list[float]:
        """The factors by which frequencies are multiplied, one of which is drawn; maybe none."""
        span = math.log(1 + self.warp)
        return torch.linspace(-span, span, WARPS).exp().tolist() if self.warp else []

    def timing(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Change tempo, cut off, put background around (batch, frames, bins), (batch,)."""
        for step in self.steps_in_time:
            energies, lengths = step(energies, lengths)
        return energies, lengths

    def recording(self, energies: Tensor, lengths: Tensor) -> Tensor:
        """Change the channel and add noise."""
        for step in self.steps_in_sound:
            energies = step(energies, lengths)
        return energies
