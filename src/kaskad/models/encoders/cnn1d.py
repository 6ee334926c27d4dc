"""Nets of 1-D convolutions over time: a compact one, and Wav2Letter."""

from collections.abc import Iterator, Sequence
from math import prod

from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.conv_blocks import Block, Stage
from kaskad.models.layers.subsampling import require_odd


class CNN1d(Encoder):
    """A convolution for each of ``channels``, the maps that it makes.

    With other kernels and strides it is Wav2Letter: Collobert et al., "Wav2Letter: an End-to-End
    ConvNet-based Speech Recognition System" (2016), figure 2.

    Args:
        input_size: bins that come in.
        channels: maps of each convolution.
        kernel_size: frames that each looks at, odd; or a number for each.
        strides: how many frames become one in each; every convolution halves them unless given.
        dropout: the share of values left out after each convolution.

    Raises:
        ValueError: for an even kernel, or where there are not as many as convolutions.
    """

    def __init__(
        self,
        input_size: int,
        channels: Sequence[int] = (64, 64, 128),
        kernel_size: int | Sequence[int] = 5,
        strides: Sequence[int] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        count = len(channels)
        kernels = [kernel_size] * count if isinstance(kernel_size, int) else [*kernel_size]
        steps = [2] * count if strides is None else [*strides]
        for name, values in (("kernel_size", kernels), ("strides", steps)):
            if len(values) != count:
                raise ValueError(f"{name} has {len(values)} numbers, and channels {count}")
        for kernel in kernels:
            require_odd(kernel)
        self.blocks = nn.ModuleList(
            Block(inputs, Stage(kernel, filters, dropout), stride=step)
            for inputs, filters, kernel, step in zip(
                [input_size, *channels[:-1]], channels, kernels, steps, strict=True
            )
        )
        self.strides = steps
        self.time_reduction = prod(steps)
        self.dim = channels[-1]
        self.layer_dims = [*channels]

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        maps = features.transpose(1, 2)  # (batch, bins, frames)
        for block, stride in zip(self.blocks, self.strides, strict=True):
            maps = block(maps, padding_mask(lengths, maps.shape[2])[:, None])
            lengths = -(-lengths // stride)
            yield maps.transpose(1, 2), lengths
