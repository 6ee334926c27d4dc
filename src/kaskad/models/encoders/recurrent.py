"""Recurrent layers straight on the features: the flat baselines, LSTM and GRU."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.rnn import GRU, LSTM

CELLS = {"lstm": LSTM, "gru": GRU}


class RecurrentEncoder(Encoder):
    """``layers`` layers of ``hidden_size`` cells in each direction, and nothing before them.

    ``input_size`` bins come in; ``time_reduction`` neighbouring frames are stacked into one.
    ``dropout`` is the share of values left out before, between and after the layers; ``layer_norm``
    normalises the output of each layer, as ``RecurrentLayers`` has it. As the acoustic model of
    Graves et al., "Speech Recognition with Deep Recurrent Neural Networks" (2013); stacked frames
    after Sak et al., "Fast and Accurate Recurrent Neural Network Acoustic Models for Speech
    Recognition" (2015).
    """

    def __init__(
        self,
        input_size: int,
        cell: Literal["lstm", "gru"] = "lstm",
        time_reduction: int = 1,
        hidden_size: int = 100,
        layers: int = 4,
        bidirectional: bool = True,
        dropout: float = 0.2,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.time_reduction = time_reduction
        self.input_dropout = nn.Dropout(dropout)
        self.layers = CELLS[cell](
            time_reduction * input_size,
            hidden_size,
            layers,
            bidirectional=bidirectional,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        self.output_dropout = nn.Dropout(dropout)
        self.dim = self.layers.dim

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        sequences = stack_frames(features, lengths, self.time_reduction)
        lengths = self.frame_count(lengths)
        encoded = self.layers(self.input_dropout(sequences), lengths)
        return self.output_dropout(encoded), lengths


def stack_frames(features: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Join every ``count`` neighbouring frames; zeros complete the last ones of an utterance.

    (batch, frames, bins) -> (batch, ceil(frames / count), count * bins).
    """
    outside = padding_mask(lengths, features.shape[1])
    features = features.masked_fill(outside[:, :, None], 0.0)
    whole = F.pad(features, (0, 0, 0, -features.shape[1] % count))
    return whole.unflatten(1, (-1, count)).flatten(2)
