"""Self-attention over padded frames, and the layers that stand beside it in a block."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# How attention knows where a frame stands: by its distance to another one, which is scored
# (relative) or turns the two (rotary), or by what is added to the frames before the first block
# (absolute).
Positions = Literal["relative", "rotary", "absolute"]


def sinusoids(places: Tensor, dim: int) -> Tensor:
    """Sines and cosines of places (count,) at falling frequencies: (count, dim).

    Source: Vaswani et al., "Attention Is All You Need" (2017), section 3.5.
    """
    rates = torch.arange(0, dim, 2, device=places.device) * (-math.log(10_000.0) / dim)
    angles = places[:, None] * rates.exp()
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]


class SelfAttention(nn.Module):
    """Attention of every frame to every other one of its utterance, in ``heads`` parts.

    ``forward(frames (batch, frames, dim), outside (batch, frames)) -> (batch, frames, dim)``, where
    ``outside`` is True beyond the end. Sources: Vaswani et al. (2017); relative positions after Dai
    et al., "Transformer-XL" (2019), section 3.3; rotary ones after Su et al., "RoFormer" (2021).
    Raises ``ValueError`` where the heads cannot share the width.
    """

    def __init__(self, dim: int, heads: int, positions: Positions = "relative") -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads is {heads}; it must divide dim, which is {dim}")
        if positions == "rotary" and dim // heads % 2:
            raise ValueError(
                f"a head has {dim // heads} values (dim / heads); with positions=rotary, which "
                "turns pairs of them, it must be an even number"
            )
        self.heads = heads
        self.positions = positions
        self.project = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        if positions == "relative":
            self.distances = nn.Linear(dim, dim, bias=False)
            self.content_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))
            self.distance_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))

    def forward(self, frames: Tensor, outside: Tensor) -> Tensor:
        parts = self.project(frames).unflatten(2, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, frames, dim / heads)
        mask = ~outside[:, None, None]
        if self.positions == "rotary":
            query, key = turned(query), turned(key)
        elif self.positions == "relative":
            scores = self._distance_scores(query + self.distance_bias.to(query.dtype))
            mask = scores.masked_fill(~mask, -torch.inf)
            query = query + self.content_bias.to(query.dtype)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.output(attended.transpose(1, 2).flatten(2))

    def _distance_scores(self, query: Tensor) -> Tensor:
        """How well each frame's query fits the distance to each other one: (batch, heads, frames,
        frames)."""
        count = query.shape[2]
        places = torch.arange(count - 1, -count, -1.0, device=query.device)
        embedded = self.distances(sinusoids(places, self.heads * query.shape[3]).to(query.dtype))
        keys = embedded.unflatten(1, (self.heads, -1)).transpose(0, 1)
        scores = query @ keys.transpose(1, 2) / math.sqrt(query.shape[3])
        # Row i has the distances from count - 1 to 1 - count, and wants i to i - count + 1.
        shifted = F.pad(scores, (1, 0)).flatten(2)[:, :, count:]
        return shifted.unflatten(2, (count, -1))[..., :count]


def turned(vectors: Tensor) -> Tensor:
    """Turn pairs of values of (…, frames, dim) by angles that grow with the frame."""
    count, dim = vectors.shape[-2:]
    angles = sinusoids(torch.arange(float(count), device=vectors.device), dim).to(vectors.dtype)
    sine, cosine = angles[:, ::2], angles[:, 1::2]
    even, odd = vectors[..., ::2], vectors[..., 1::2]
    pairs = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return pairs.flatten(-2)


class FeedForward(nn.Sequential):
    """Two linear layers with normalisation before them, the inner one ``expansion`` times wider."""

    def __init__(self, dim: int, expansion: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(dim),
            nn.Linear(dim, expansion * dim),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * dim, dim),
            nn.Dropout(dropout),
        )
