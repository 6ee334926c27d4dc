"""A compact net of 1-D convolutions over time."""

from collections.abc import Sequence

from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.conv_blocks import Block, Stage


class CNN1d(Encoder):
    """A convolution for each of ``channels``, the maps that it makes; each halves the frames.

    ``kernel_size`` in frames, odd; ``dropout`` is the share of values left out after each
    convolution.
    """

    def __init__(
        self,
        input_size: int,
        channels: Sequence[int] = (64, 64, 128),
        kernel_size: int = 5,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; it must be odd")
        self.blocks = nn.ModuleList(
            Block(inputs, Stage(kernel_size, filters, dropout), stride=2)
            for inputs, filters in zip([input_size, *channels], channels, strict=False)
        )
        self.time_reduction = 2 ** len(channels)
        self.dim = channels[-1]

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = features.transpose(1, 2)  # (batch, bins, frames)
        for block in self.blocks:
            maps = block(maps, padding_mask(lengths, maps.shape[2])[:, None])
            lengths = -(-lengths // 2)
        return maps.transpose(1, 2), lengths
