"""What nets of attention share: fewer frames, of another width, through blocks."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.self_attention import Positions, sinusoids
from kaskad.models.layers.subsampling import Subsampling, stack_frames


class AttentionEncoder(Encoder):
    """Blocks, each ``forward(frames (batch, frames, dim), outside (batch, frames))``, after what
    makes one frame of ``time_reduction``.

    Args:
        input_size: bins that come in.
        dim: values of a frame between blocks.
        blocks: one after the other.
        time_reduction: frames that become one; by convolution 1, 2, 3 or 4.
        reduce_by: ``convolution``, two in two dimensions with ``channels`` maps, or ``stack``:
            neighbouring frames side by side.
        channels: maps of the two convolutions.
        positions: how a frame knows where it stands; see ``Positions``.
        dropout: the share of values left out before the first block.
        normalisation: of what comes out of a block, where blocks do not do it themselves.
    """

    def __init__(
        self,
        input_size: int,
        dim: int,
        blocks: Sequence[nn.Module],
        *,
        time_reduction: int,
        reduce_by: Literal["convolution", "stack"],
        channels: tuple[int, int],
        positions: Positions,
        dropout: float,
        normalisation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("layers is 0; a net of attention has at least one")
        self.time_reduction = time_reduction
        self.subsampling: Subsampling | None = None
        size = time_reduction * input_size
        if reduce_by == "convolution":
            self.subsampling = Subsampling(input_size, time_reduction, channels)
            size = self.subsampling.dim
        self.project = nn.Linear(size, dim)
        self.is_placed = positions == "absolute"
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(blocks)
        self.normalisation = normalisation or nn.Identity()
        self.dim = dim
        self.layer_dims = [dim] * len(blocks)

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        if self.subsampling is not None:
            sequences, lengths = self.subsampling(features, lengths)
        else:
            sequences = stack_frames(features, lengths, self.time_reduction)
            lengths = self.frame_count(lengths)
        frames = self.project(sequences)
        if self.is_placed:
            places = torch.arange(float(frames.shape[1]), device=frames.device)
            frames = frames * math.sqrt(self.dim) + sinusoids(places, self.dim).to(frames.dtype)
        frames = self.dropout(frames)
        outside = padding_mask(lengths, frames.shape[1])
        for block in self.blocks:
            frames = block(frames, outside)
            yield self.normalisation(frames), lengths
