"""CNN2D-LSTM: 2-D convolutions that compress time, then recurrent layers."""

from collections.abc import Iterator
from typing import Literal, Unpack

from torch import Tensor, nn

from kaskad.models.encoders.encoder import BACKWARDS, Encoder, State
from kaskad.models.layers.rnn import CELLS, RecurrentOptions
from kaskad.models.layers.subsampling import Subsampling


class CNN2dLSTM(Encoder):
    """Two convolutions over (frames, bins), each halving the bins, and recurrent layers after them.

    After Amodei et al., "Deep Speech 2" (2015), section 3, with small square kernels.

    Args:
        input_size: bins that come in.
        time_reduction: frames that become one: 1, 2, 3 or 4.
        channels: maps that each of the two convolutions makes.
        kernel_size: height and width of their kernels, in frames and bins, odd; or both.
        cell: lstm or gru.
        layers: recurrent ones.
        recurrent: as ``RecurrentLayers`` has them; ``dropout`` is also that before the layers.

    Raises:
        ValueError: for another reduction, or an even kernel.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int = 2,
        channels: tuple[int, int] = (32, 32),
        kernel_size: int | tuple[int, int] = 3,
        cell: Literal["lstm", "gru"] = "lstm",
        layers: int = 3,
        **recurrent: Unpack[RecurrentOptions],
    ) -> None:
        super().__init__()
        self.time_reduction = time_reduction
        self.convolutions = Subsampling(input_size, time_reduction, channels, kernel_size)
        self.input_dropout = nn.Dropout(recurrent.get("dropout", 0.0))
        self.lstm = CELLS[cell](self.convolutions.dim, layers, **recurrent)
        self.dim = self.lstm.dim
        self.layer_dims = [self.dim] * layers

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        sequences, lengths = self.convolutions(features, lengths)
        for output in self.lstm.layer_outputs(self.input_dropout(sequences), lengths):
            yield output, lengths

    @property
    def why_not_streaming(self) -> str | None:
        return BACKWARDS if self.lstm.backwards else None

    def beginning(self) -> State:
        return self.convolutions.beginning(), self.lstm.beginning()

    def step(
        self, features: Tensor, state: State | None = None, *, is_last: bool = False
    ) -> tuple[Tensor, State]:
        waiting, remembered = state or (None, None)
        sequences, waiting = self.convolutions.step(features, waiting, is_last)
        encoded, remembered = self.lstm.step(sequences, remembered)
        return encoded, (waiting, remembered)
