"""What stands before the layers of an encoder and makes fewer frames of many."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask

# How the two convolutions share the work of compressing time.
TIME_STRIDES = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}


class Subsampling(nn.ModuleList):
    """Two convolutions over (frames, bins), each halving the bins; together they make one frame of
    ``time_reduction``.

    ``forward(features (batch, frames, input_size), lengths) -> (batch, ceil(frames /
    time_reduction), dim), lengths'``. After Amodei et al., "Deep Speech 2" (2015), section 3.

    Args:
        input_size: bins that come in.
        time_reduction: 1, 2, 3 or 4.
        channels: maps that each of the two makes.
        kernel_size: height and width of a kernel, in frames and bins, odd; or both, as (11, 21).

    Raises:
        ValueError: for another reduction, or an even kernel.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int,
        channels: tuple[int, int],
        kernel_size: int | tuple[int, int] = 3,
    ) -> None:
        if time_reduction not in TIME_STRIDES:
            known = ", ".join(map(str, TIME_STRIDES))
            raise ValueError(f"time_reduction is {time_reduction}; it can be one of {known}")
        height, width = (
            (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        )
        require_odd(height)
        require_odd(width)
        first, second = TIME_STRIDES[time_reduction]
        super().__init__(
            [
                TimeConvolution(1, channels[0], (height, width), first),
                TimeConvolution(channels[0], channels[1], (height, width), second),
            ]
        )
        self.input_size = input_size
        self.dim = channels[1] * -(-input_size // 4)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outside = padding_mask(lengths, features.shape[1])
        maps = features.masked_fill(outside[:, :, None], 0.0)[:, None]  # (batch, 1, frames, bins)
        for convolution in self:
            maps, lengths = convolution(maps, lengths)
        return maps.transpose(1, 2).flatten(2), lengths  # (batch, frames', channels * bins')

    def beginning(self) -> tuple[Tensor, ...]:
        """The maps at which the kernels look before the first frame of one utterance: zeros."""
        maps, bins = [], self.input_size
        for convolution in self:
            assert isinstance(convolution, TimeConvolution)
            weight = convolution.convolution.weight
            maps.append(torch.zeros(1, weight.shape[1], weight.shape[2] // 2, bins))
            bins = -(-bins // 2)
        return tuple(maps)

    def step(
        self, features: Tensor, waiting: tuple[Tensor | None, ...] | None, is_last: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Go on with the next frames (batch, frames, input_size); returns what they complete, and
        the maps at which kernels to come look: ``waiting``, before the first ``None``."""
        maps = features[:, None]
        left = []
        for convolution, before in zip(self, waiting or (None, None), strict=True):
            assert isinstance(convolution, TimeConvolution)
            maps, rest = convolution.step(maps, before, is_last)
            left.append(rest)
        return maps.transpose(1, 2).flatten(2), tuple(left)


class TimeConvolution(nn.Module):
    """A 2-D convolution with batch normalisation that keeps silence beyond the end silent.

    ``forward(maps (batch, channels, frames, bins), lengths) -> (batch, channels', ceil(frames /
    time_stride), ceil(bins / 2)), lengths'``.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: tuple[int, int], time_stride: int
    ) -> None:
        super().__init__()
        self.time_stride = time_stride
        height, width = kernel_size
        self.convolution = nn.Conv2d(
            inputs,
            outputs,
            kernel_size,
            stride=(time_stride, 2),
            padding=(height // 2, width // 2),
            bias=False,
        )
        self.normalisation = nn.BatchNorm2d(outputs)
        self.activation = nn.SiLU()

    def forward(self, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.activation(self.normalisation(self.convolution(maps)))
        lengths = -(-lengths // self.time_stride)
        outside = padding_mask(lengths, maps.shape[2])
        return maps.masked_fill(outside[:, None, :, None], 0.0), lengths

    def step(self, maps: Tensor, waiting: Tensor | None, is_last: bool) -> tuple[Tensor, Tensor]:
        """As ``Subsampling`` has it, of (batch, channels, frames, bins)."""
        height, width = self.convolution.kernel_size
        around = height // 2
        if waiting is None:
            waiting = F.pad(maps[:, :, :0], (0, 0, around, 0))
        maps = F.pad(torch.cat([waiting, maps], 2), (0, 0, 0, around * is_last))
        places = max(0, (maps.shape[2] - height) // self.time_stride + 1)
        waiting = maps[:, :, places * self.time_stride :]
        if places == 0:
            bins = -(-maps.shape[3] // 2)
            return maps.new_zeros(len(maps), self.convolution.out_channels, 0, bins), waiting
        weight, stride = self.convolution.weight, self.convolution.stride
        # Frames are padded here, bins as in `forward`.
        maps = F.conv2d(maps, weight, stride=stride, padding=(0, width // 2))
        return self.activation(self.normalisation(maps)), waiting


def stack_frames(features: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Join every ``count`` neighbouring frames; zeros complete the last ones of an utterance.

    (batch, frames, bins) -> (batch, ceil(frames / count), count * bins).
    """
    outside = padding_mask(lengths, features.shape[1])
    features = features.masked_fill(outside[:, :, None], 0.0)
    whole = F.pad(features, (0, 0, 0, -features.shape[1] % count))
    return whole.reshape(whole.shape[0], -1, count * whole.shape[2])


def require_odd(kernel_size: int, name: str = "kernel_size") -> None:
    """Raise ``ValueError`` for a kernel that cannot be centred on a frame."""
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"{name} is {kernel_size}; it must be odd, to be centred on a frame")
