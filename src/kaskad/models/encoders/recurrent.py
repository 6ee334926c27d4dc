"""Recurrent layers straight on the features: the flat baselines, LSTM and GRU."""

from collections.abc import Iterator
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import BACKWARDS, Encoder, State
from kaskad.models.layers.conv_blocks import Block, Stage
from kaskad.models.layers.rnn import CELLS, RecurrentOptions
from kaskad.models.layers.subsampling import stack_frames


class RecurrentEncoder(Encoder):
    """Recurrent layers, and nothing before them but what compresses time.

    As the acoustic model of Graves et al., "Speech Recognition with Deep Recurrent Neural Networks"
    (2013). Stacked frames after Sak et al., "Fast and Accurate Recurrent Neural Network Acoustic
    Models for Speech Recognition" (2015); the pyramid after Chan et al., "Listen, Attend and Spell"
    (2016), section 3.1.

    Args:
        input_size: bins that come in.
        cell: lstm or gru.
        time_reduction: frames that become one.
        reduce_by: how. ``stack`` joins neighbouring frames of features; ``convolution`` looks at
            as many on either side too; ``pyramid`` joins two frames after each of the first layers,
            and makes 2, 4 or 8 frames one.
        layers: how many.
        input_dropout: the share of values left out before the layers; ``None``: as ``dropout``.
        recurrent: as ``RecurrentLayers`` has them.

    Raises:
        ValueError: for a pyramid of another reduction, or of more steps than there are layers to
            climb.
    """

    def __init__(
        self,
        input_size: int,
        cell: Literal["lstm", "gru"] = "lstm",
        time_reduction: int = 1,
        reduce_by: Literal["stack", "convolution", "pyramid"] = "stack",
        layers: int = 4,
        input_dropout: float | None = None,
        **recurrent: Unpack[RecurrentOptions],
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.time_reduction = time_reduction
        self.stacked = time_reduction if reduce_by == "stack" else 1
        dropout = recurrent.get("dropout", 0.0)
        self.convolution: Block | None = None
        self.pyramid = nn.ModuleList()
        size = self.stacked * input_size
        if reduce_by == "convolution":
            stage = Stage(2 * time_reduction + 1, recurrent["hidden_size"], dropout)
            self.convolution = Block(input_size, stage, stride=time_reduction)
            size = stage.filters
        elif reduce_by == "pyramid":
            for _ in range(pyramid_steps(time_reduction, layers)):
                step = CELLS[cell](size, 1, **recurrent)
                self.pyramid.append(step)
                size = 2 * step.dim
        before = dropout if input_dropout is None else input_dropout
        self.input_dropout = nn.Dropout(0.0 if self.convolution else before)
        self.layers = CELLS[cell](size, layers - len(self.pyramid), **recurrent)
        self.dim = self.layers.dim
        self.layer_dims = [self.dim] * layers

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        if self.convolution is not None:
            outside = padding_mask(lengths, features.shape[1])[:, None]
            sequences = self.convolution(features.transpose(1, 2), outside).transpose(1, 2)
            lengths = self.frame_count(lengths)
        else:
            sequences = stack_frames(features, lengths, self.stacked)
            lengths = -(-lengths // self.stacked)
        sequences = self.input_dropout(sequences)
        for step in self.pyramid:
            sequences = step(sequences, lengths)
            yield sequences, lengths
            sequences = stack_frames(sequences, lengths, 2)
            lengths = -(-lengths // 2)
        for output in self.layers.layer_outputs(sequences, lengths):
            yield output, lengths

    @property
    def why_not_streaming(self) -> str | None:
        if self.layers.backwards:
            return BACKWARDS
        if self.convolution is not None or len(self.pyramid):
            return "it makes fewer frames of many on its way (model.encoder.reduce_by=stack)"
        return None

    def beginning(self) -> State:
        return torch.zeros(1, 0, self.input_size), self.layers.beginning()

    def step(
        self, features: Tensor, state: State | None = None, *, is_last: bool = False
    ) -> tuple[Tensor, State]:
        waiting, remembered = state or (features[:, :0], None)
        waiting = torch.cat([waiting, features], 1)
        frames = waiting.shape[1]
        ready = frames - (1 - is_last) * (frames % self.stacked)
        lengths = torch.full((len(features),), ready, device=features.device)
        sequences = stack_frames(waiting[:, :ready], lengths, self.stacked)
        encoded, remembered = self.layers.step(sequences, remembered)
        return encoded, (waiting[:, ready:], remembered)


def pyramid_steps(time_reduction: int, layers: int) -> int:
    """How many times a pyramid of ``layers`` halves the frames; raises ``ValueError`` where it
    cannot come to ``time_reduction``."""
    steps = time_reduction.bit_length() - 1
    if time_reduction != 2**steps or steps >= layers:
        raise ValueError(
            f"time_reduction is {time_reduction}; a pyramid of {layers} layers makes one frame of "
            f"{', '.join(str(2**n) for n in range(max(1, layers)))}"
        )
    return steps
