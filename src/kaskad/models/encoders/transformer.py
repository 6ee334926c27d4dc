"""The Transformer: blocks of self-attention and two linear layers."""

from typing import Literal

from torch import Tensor, nn

from kaskad.models.encoders.attention_encoder import AttentionEncoder
from kaskad.models.layers.self_attention import FeedForward, Positions, SelfAttention


class Transformer(AttentionEncoder):
    """``layers`` blocks of ``dim`` values, normalised before each of their two parts.

    Source: Vaswani et al., "Attention Is All You Need" (2017); for speech Dong et al.,
    "Speech-Transformer" (2018), with normalisation before the parts after Xiong et al., "On Layer
    Normalization in the Transformer Architecture" (2020).

    Args:
        input_size: bins that come in.
        time_reduction: frames that become one; by convolution 1, 2, 3 or 4.
        reduce_by: ``convolution`` or ``stack``, as ``AttentionEncoder`` has it.
        channels: maps of the two convolutions.
        dim: values of a frame.
        layers: blocks.
        heads: parts of the attention, which divide ``dim``.
        expansion: how many times wider the inner linear layer is.
        positions: relative, rotary or absolute.
        dropout: the share of values left out before the first block and after each part.

    Raises:
        ValueError: where the heads do not divide the width, or for another reduction.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int = 4,
        reduce_by: Literal["convolution", "stack"] = "stack",
        channels: tuple[int, int] = (32, 32),
        dim: int = 144,
        layers: int = 6,
        heads: int = 4,
        expansion: int = 4,
        positions: Positions = "absolute",
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            input_size,
            dim,
            [TransformerBlock(dim, heads, expansion, positions, dropout) for _ in range(layers)],
            time_reduction=time_reduction,
            reduce_by=reduce_by,
            channels=channels,
            positions=positions,
            dropout=dropout,
            normalisation=nn.LayerNorm(dim),
        )


class TransformerBlock(nn.Module):
    """Self-attention, then two linear layers, each added to what went into it."""

    def __init__(
        self, dim: int, heads: int, expansion: int, positions: Positions, dropout: float
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads, positions)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = FeedForward(dim, expansion, dropout)

    def forward(self, frames: Tensor, outside: Tensor) -> Tensor:
        frames = frames + self.dropout(self.attention(self.attention_norm(frames), outside))
        return frames + self.feed_forward(frames)
