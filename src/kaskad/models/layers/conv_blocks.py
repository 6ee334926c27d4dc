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

    ``forward(maps (batch, inputs, frames), outside (batch, 1, frames), sources) -> (batch, filters,
    ceil(frames / stride))``, where ``outside`` is True beyond the end, and ``sources`` are the maps
    to add, each with as many channels as ``sources`` tells.
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
    ) -> None:
        super().__init__()
        kernel_size, filters, dropout = stage
        self.convolutions = nn.ModuleList(
            convolution(channels, filters, kernel_size, stride, dilation, separable)
            for channels in [inputs] + [filters] * (repeats - 1)
        )
        self.residuals = nn.ModuleList(convolution(channels, filters) for channels in sources)
        self.activation = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))

    def forward(self, maps: Tensor, outside: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        for index, layer in enumerate(self.convolutions):
            if index > 0:
                maps = self.activation(maps)
            maps = layer(maps.masked_fill(outside, 0.0))
        for project, source in zip(self.residuals, sources, strict=True):
            maps = maps + project(source)
        return self.activation(maps)


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
