"""Blocks of 1-D convolutions: what QuartzNet, Jasper and their kin are built of."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn


class Stage(NamedTuple):
    """A line of a paper's table; ``dropout`` is a multiple of the encoder's."""

    kernel_size: int  # frames, odd
    filters: int
    dropout: float = 1.0


class Block(nn.Module):
    """``repeats`` convolutions; before the last activation, earlier maps are added.

    The last convolution makes the stride. ``squeeze`` is the reduction of a ``SqueezeExcite`` after
    it; None leaves that out. ``forward(maps (batch, inputs, frames), outside (batch, 1, frames),
    sources) -> (batch, filters, ceil(frames / stride))``, where ``outside`` is True beyond the end,
    and ``sources`` are the maps to add, each with as many channels as ``sources`` tells.
    """

    def __init__(
        self,
        inputs: int,
        stage: Stage,
        repeats: int = 1,
        sources: Sequence[int] = (),
        *,
        stride: int = 1,
        dilation: int = 1,
        separable: bool = False,
        squeeze: int | None = None,
    ) -> None:
        super().__init__()
        kernel_size, filters, dropout = stage
        self.stride = stride
        strides = [1] * (repeats - 1) + [stride]
        self.convolutions = nn.ModuleList(
            convolution(channels, filters, kernel_size, each, dilation, separable)
            for channels, each in zip([inputs] + [filters] * (repeats - 1), strides, strict=True)
        )
        self.excite = SqueezeExcite(filters, squeeze) if squeeze is not None else None
        self.residuals = nn.ModuleList(
            convolution(channels, filters, stride=stride) for channels in sources
        )
        self.activation = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))

    def forward(self, maps: Tensor, outside: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        for index, layer in enumerate(self.convolutions):
            if index > 0:
                maps = self.activation(maps)
            maps = layer(maps.masked_fill(outside, 0.0))
        if self.excite is not None:
            maps = self.excite(maps, outside[:, :, :: self.stride])
        for project, source in zip(self.residuals, sources, strict=True):
            maps = maps + project(source)
        return self.activation(maps)


class SqueezeExcite(nn.Module):
    """Weighs the channels of an utterance by what their means over it say, each from 0 to 1.

    ``forward(maps (batch, channels, frames), outside (batch, 1, frames)) -> maps``, as many.
    Source: Hu et al., "Squeeze-and-Excitation Networks" (CVPR 2018), section 3.

    Args:
        channels: of the maps.
        reduction: how many times fewer values lie between the means and the weights.

    Raises:
        ValueError: where there are fewer channels than that.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"squeeze is {reduction}; it must be from 1 to {channels}")
        between = channels // reduction
        self.weigh = nn.Sequential(
            nn.Linear(channels, between, bias=False),
            nn.ReLU(),
            nn.Linear(between, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor, outside: Tensor) -> Tensor:
        frames = (~outside).sum(dim=2).clamp(min=1)
        means = maps.masked_fill(outside, 0.0).sum(dim=2) / frames
        return maps * self.weigh(means)[:, :, None]


def convolution(
    inputs: int,
    filters: int,
    kernel_size: int = 1,
    stride: int = 1,
    dilation: int = 1,
    separable: bool = False,
) -> nn.Sequential:
    """A convolution, if ``separable`` first over time and then over channels; normalised.

    (batch, inputs, frames) -> (batch, filters, ceil(frames / stride)).
    """
    over_time = nn.Conv1d(
        inputs,
        inputs if separable else filters,
        kernel_size,
        stride=stride,
        padding=dilation * (kernel_size // 2),
        dilation=dilation,
        groups=inputs if separable else 1,
        bias=False,
    )
    over_channels = [nn.Conv1d(inputs, filters, 1, bias=False)] if separable else []
    return nn.Sequential(over_time, *over_channels, nn.BatchNorm1d(filters))
