"""The Conformer: attention for what is far, a convolution for what is near."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.models.encoders.attention_encoder import AttentionEncoder
from kaskad.models.layers.masked_norm import MaskedBatchNorm
from kaskad.models.layers.self_attention import FeedForward, Positions, SelfAttention
from kaskad.models.layers.subsampling import require_odd


class Conformer(AttentionEncoder):
    """``layers`` blocks of ``dim`` values.

    Source: Gulati et al., "Conformer: Convolution-augmented Transformer for Speech Recognition"
    (2020). That of torchaudio has no relative positions, and its convolution sees the padding: an
    utterance came out otherwise in a batch than alone.

    Args:
        input_size: bins that come in.
        time_reduction: frames that become one; by convolution 1, 2, 3 or 4.
        reduce_by: ``convolution`` or ``stack``, as ``AttentionEncoder`` has it.
        channels: maps of the two convolutions.
        dim: values of a frame.
        layers: blocks.
        heads: parts of the attention, which divide ``dim``.
        expansion: how many times wider the inner linear layers are.
        kernel_size: frames that the convolution of a block looks at, odd.
        positions: relative, rotary or absolute.
        dropout: the share of values left out before the first block and after each part.

    Raises:
        ValueError: where the heads do not divide the width, for an even kernel or another
            reduction.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int = 4,
        reduce_by: Literal["convolution", "stack"] = "convolution",
        channels: tuple[int, int] = (32, 32),
        dim: int = 144,
        layers: int = 4,
        heads: int = 4,
        expansion: int = 4,
        kernel_size: int = 15,
        positions: Positions = "relative",
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            input_size,
            dim,
            [
                ConformerBlock(dim, heads, expansion, kernel_size, positions, dropout)
                for _ in range(layers)
            ],
            time_reduction=time_reduction,
            reduce_by=reduce_by,
            channels=channels,
            positions=positions,
            dropout=dropout,
        )


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, the other half; all are added up."""

    def __init__(
        self,
        dim: int,
        heads: int,
        expansion: int,
        kernel_size: int,
        positions: Positions,
        dropout: float,
    ) -> None:
        super().__init__()
        self.first_half = FeedForward(dim, expansion, dropout)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads, positions)
        self.convolution = ConvolutionModule(dim, kernel_size)
        self.second_half = FeedForward(dim, expansion, dropout)
        self.dropout = nn.Dropout(dropout)
        self.normalisation = nn.LayerNorm(dim)

    def forward(self, frames: Tensor, outside: Tensor) -> Tensor:
        frames = frames + 0.5 * self.first_half(frames)
        frames = frames + self.dropout(self.attention(self.attention_norm(frames), outside))
        frames = frames + self.dropout(self.convolution(frames, outside))
        frames = frames + 0.5 * self.second_half(frames)
        return self.normalisation(frames)


class ConvolutionModule(nn.Module):
    """A gated linear unit, a convolution of each value over time, normalisation, a linear layer.

    ``forward(frames (batch, frames, dim), outside (batch, frames)) -> (batch, frames, dim)``: what
    stands ``outside`` is silent to the convolution, and has no part in the statistics.
    """

    def __init__(self, dim: int, kernel_size: int) -> None:
        super().__init__()
        require_odd(kernel_size)
        self.input_norm = nn.LayerNorm(dim)
        self.gated = nn.Linear(dim, 2 * dim)
        self.over_time = nn.Conv1d(
            dim, dim, kernel_size, padding=kernel_size // 2, groups=dim, bias=False
        )
        self.normalisation = MaskedBatchNorm(dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, frames: Tensor, outside: Tensor) -> Tensor:
        gated = F.glu(self.gated(self.input_norm(frames)), dim=2)
        gated = gated.masked_fill(outside[:, :, None], 0.0)
        convolved = self.over_time(gated.transpose(1, 2)).transpose(1, 2)
        return self.output(F.silu(self.normalisation(convolved, outside)))
