"""CNN2D-LSTM: 2-D convolutions that compress time, then an LSTM."""

from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.rnn import LSTM

# How the two convolutions share the work of compressing time.
TIME_STRIDES = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}


class CNN2dLSTM(Encoder):
    """Two convolutions over (frames, bins), each halving the bins, and an LSTM on what they give.

    ``input_size`` bins come in and ``time_reduction`` frames become one; ``dropout`` is the share
    of values left out before, between and after the layers of the LSTM; ``layer_norm`` normalises
    the output of each of these layers, as ``RecurrentLayers`` has it. After Amodei et al., "Deep
    Speech 2" (2015), section 3, with small square kernels.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int = 2,
        channels: tuple[int, int] = (32, 32),
        kernel_size: int = 3,
        hidden_size: int = 256,
        layers: int = 3,
        bidirectional: bool = True,
        dropout: float = 0.2,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        if time_reduction not in TIME_STRIDES:
            known = ", ".join(map(str, TIME_STRIDES))
            raise ValueError(f"time_reduction is {time_reduction}; it can be one of {known}")
        if kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size is {kernel_size}; it must be odd, to be centred on a frame"
            )
        self.time_reduction = time_reduction
        first, second = TIME_STRIDES[time_reduction]
        self.convolutions = nn.ModuleList(
            [
                TimeConvolution(1, channels[0], kernel_size, first),
                TimeConvolution(channels[0], channels[1], kernel_size, second),
            ]
        )
        bins = -(-input_size // 4)
        self.input_dropout = nn.Dropout(dropout)
        self.lstm = LSTM(
            channels[1] * bins,
            hidden_size,
            layers,
            bidirectional=bidirectional,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        self.output_dropout = nn.Dropout(dropout)
        self.dim = self.lstm.dim

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = features[:, None]  # (batch, 1, frames, bins)
        for convolution in self.convolutions:
            maps, lengths = convolution(maps, lengths)
        sequences = maps.transpose(1, 2).flatten(2)  # (batch, frames', channels * bins')
        encoded = self.lstm(self.input_dropout(sequences), lengths)
        return self.output_dropout(encoded), lengths


class TimeConvolution(nn.Module):
    """A 2-D convolution with batch normalisation that keeps silence beyond the end silent.

    ``forward(maps (batch, channels, frames, bins), lengths) -> (batch, channels', ceil(frames /
    time_stride), ceil(bins / 2)), lengths'``.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, time_stride: int) -> None:
        super().__init__()
        self.time_stride = time_stride
        self.convolution = nn.Conv2d(
            inputs,
            outputs,
            kernel_size,
            stride=(time_stride, 2),
            padding=kernel_size // 2,
            bias=False,
        )
        self.normalisation = nn.BatchNorm2d(outputs)
        self.activation = nn.SiLU()

    def forward(self, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.activation(self.normalisation(self.convolution(maps)))
        lengths = -(-lengths // self.time_stride)
        outside = padding_mask(lengths, maps.shape[2])
        return maps.masked_fill(outside[:, None, :, None], 0.0), lengths
