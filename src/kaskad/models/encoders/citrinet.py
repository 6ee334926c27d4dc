"""Citrinet: QuartzNet's separable convolutions, with squeeze-and-excitation, for subwords."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.conv_blocks import Block, Stage

FIRST, LAST = 5, 41  # frames that the convolutions before and after the blocks look at


class Citrinet(Encoder):
    """Citrinet-C: parts of residual blocks, each part with half as many frames as the one before.

    Every block ends in squeeze-and-excitation, which weighs channels by their means over the whole
    utterance.

    Source: Majumdar et al., "Citrinet: Closing the Gap between Non-Autoregressive and
    Autoregressive End-to-End Models for Automatic Speech Recognition" (2021).

    Args:
        input_size: bins that come in.
        filters: channels of all blocks, the paper's C.
        kernels: for each part, the frames that each of its blocks looks at, odd. The first block of
            a part halves the frames.
        repeats: convolutions in each block.
        last: channels that come out.
        squeeze: how many times fewer values squeeze-and-excitation has in between than channels.
        dropout: share of values left out after each convolution of the blocks.

    Raises:
        ValueError: for a kernel that is even, a part without blocks, or too large a ``squeeze``.
    """

    def __init__(
        self,
        input_size: int,
        filters: int,
        kernels: Sequence[Sequence[int]],
        repeats: int = 5,
        last: int = 640,
        squeeze: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = [size for part in kernels for size in part]
        if not kernels or not all(kernels) or any(size % 2 == 0 for size in sizes):
            raise ValueError(
                f"kernels is {[list(part) for part in kernels]}; it must have parts, and each of "
                "them odd numbers of frames, one a block"
            )
        self.time_reduction = 2 ** len(kernels)
        self.dim = last
        self.first = Block(input_size, Stage(FIRST, filters, 0.0), separable=True, squeeze=squeeze)
        self.blocks = nn.ModuleList(
            Block(
                filters,
                Stage(size, filters, dropout),
                repeats,
                [filters],
                stride=2 if number == 0 else 1,
                separable=True,
                squeeze=squeeze,
            )
            for part in kernels
            for number, size in enumerate(part)
        )
        self.last = Block(filters, Stage(LAST, last, 0.0), separable=True, squeeze=squeeze)
        self.layer_dims = [*(filters for _ in self.blocks), last]

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        maps = features.transpose(1, 2)  # (batch, bins, frames)
        outside = padding_mask(lengths, maps.shape[2])[:, None]
        maps = self.first(maps, outside)
        for block in cast(Iterable[Block], self.blocks):
            maps = block(maps, outside, [maps])
            lengths = -(-lengths // block.stride)
            outside = outside[:, :, :: block.stride]
            yield maps.transpose(1, 2), lengths
        yield self.last(maps, outside).transpose(1, 2), lengths
