"""A small net of 2-D convolutions for words that all have the same length."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.models.encoders.encoder import Encoder


class WordCNN(Encoder):
    """Three convolutions over (frames, bins), and a layer that knows where in both it looks.

    ``features`` are those of ``features=words``: ``frames`` frames a word, which become one vector
    of ``dim`` values. ``dropout`` is the share of values left out before and after the last layer,
    and three times the share of maps left out between convolutions.
    """

    def __init__(
        self,
        input_size: int,
        frames: int = 24,
        channels: tuple[int, int, int] = (16, 32, 48),
        dim: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.time_reduction = self.frames = frames
        self.dim = dim
        first, second, third = channels
        self.convolutions = nn.Sequential(
            _convolution(1, first, 5, stride=(2, 1)),
            _convolution(first, second, 3, stride=(2, 2)),
            nn.Dropout2d(dropout / 3),
            _convolution(second, third, 3, stride=(2, 2)),
        )
        places = -(-frames // 8) * third * -(-input_size // 4)
        over_time = 2 * third * -(-input_size // 4)
        self.layer = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(places + over_time, dim, bias=False),
            _BatchNorm(dim),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Raises ``ValueError`` on utterances of other lengths than ``frames``."""
        if (lengths != self.frames).any():
            raise ValueError(
                f"this encoder takes words of {self.frames} frames each: choose features=words "
                f"with features.frames={self.frames}, or another encoder"
            )
        maps = self.convolutions(features[:, None, : self.frames])  # (batch, maps, frames', bins')
        mean, deviation = maps.mean(2), (maps.var(2, correction=0) + 1e-4).sqrt()
        seen = torch.cat([part.flatten(1) for part in (maps, mean, deviation)], 1)
        return self.layer(seen)[:, None], torch.ones_like(lengths)


class _BatchNorm(nn.BatchNorm1d):
    """A batch of one utterance has no deviation: it is normalised as in the test."""

    def forward(self, values: Tensor) -> Tensor:
        if len(values) > 1:
            return super().forward(values)
        known = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(values, *known, training=False, eps=self.eps)


def _convolution(inputs: int, outputs: int, size: int, stride: tuple[int, int]) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
