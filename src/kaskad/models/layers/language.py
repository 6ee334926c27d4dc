"""What lets layers that languages share tell them apart; each language has one of its own.

As encoders do, each takes ``(batch, frames, input_size), (batch,)`` and returns ``(batch, frames,
dim), (batch,)``.
"""

import torch
from torch import Tensor, nn

from kaskad.models.encoders.encoder import Encoder


class LanguageVector(Encoder):
    """Appends to each frame ``size`` learned values that stand for the language."""

    time_reduction = 1

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.dim = input_size + size
        self.vector = nn.Parameter(torch.randn(size) / size**0.5)

    def forward(self, sequences: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.vector.to(sequences).expand(*sequences.shape[:2], -1)
        return torch.cat([sequences, vectors], dim=2), lengths


class Scale(Encoder):
    """Multiplies each unit by a learned number between 0 and 2; 1 at the beginning.

    Source: Swietojanski, Renals, "Learning Hidden Unit Contributions for Unsupervised Speaker
    Adaptation of Neural Network Acoustic Models" (2014), equation 5 (LHUC).
    """

    time_reduction = 1

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.dim = input_size
        self.contributions = nn.Parameter(torch.zeros(input_size))

    def forward(self, sequences: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return sequences * (2.0 * self.contributions.sigmoid()).to(sequences), lengths


class Adapter(Encoder):
    """Adds to each frame what ``size`` units make of it; nothing at the beginning.

    Source: Houlsby et al., "Parameter-Efficient Transfer Learning for NLP" (2019), section 2.1;
    normalised first, after Bapna, Firat, "Simple, Scalable Adaptation for Neural Machine
    Translation" (2019).
    """

    time_reduction = 1

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.dim = input_size
        self.normalisation = nn.LayerNorm(input_size)
        self.down = nn.Linear(input_size, size)
        self.up = nn.Linear(size, input_size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, sequences: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return sequences + self.up(self.down(self.normalisation(sequences)).relu()), lengths
