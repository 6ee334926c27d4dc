"""A decoder that spells: label after label, looking at the encoder's frames anew for each."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.decoding.attention_beam import BOUNDARY


class Memory(NamedTuple):
    """What can be seen: ``values`` (batch, frames, hidden_size), their ``keys`` (batch, frames,
    attention_size), and ``outside`` (batch, frames), True beyond the end of an utterance."""

    values: Tensor
    keys: Tensor
    outside: Tensor


class State(NamedTuple):
    """Where the decoder stands: ``hidden`` (batch, layers, hidden_size), and ``context`` (batch,
    hidden_size), what it saw last, by the ``weights`` (batch, frames)."""

    hidden: Tensor
    context: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> "State":
        """The state of these rows of the batch, in this order."""
        return State(*(part[rows] for part in self))


class Attention(nn.Module):
    """Additive attention that also sees where it looked last.

    Source: Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate"
    (2015); ``filters`` convolutions over ``width`` frames of the last weights after Chorowski et
    al., "Attention-Based Models for Speech Recognition" (2015), section 2.1.
    """

    def __init__(self, hidden_size: int, size: int, filters: int, width: int) -> None:
        super().__init__()
        if width % 2 == 0:
            raise ValueError(
                f"attention_width is {width}; it must be odd, to be centred on a frame"
            )
        self.keys = nn.Linear(hidden_size, size)
        self.query = nn.Linear(hidden_size, size, bias=False)
        self.last = nn.Conv1d(1, filters, width, padding=width // 2, bias=False)
        self.place = nn.Linear(filters, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def forward(self, query: Tensor, last: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """(batch, hidden_size), the last weights -> context (batch, hidden_size), weights."""
        place = self.place(self.last(last[:, None]).transpose(1, 2))
        energies = self.energy((memory.keys + self.query(query)[:, None] + place).tanh())[:, :, 0]
        weights = energies.masked_fill(memory.outside, -torch.inf).softmax(dim=1)
        return (weights[:, None] @ memory.values)[:, 0], weights


class AttentionDecoder(nn.Module):
    """``layers`` of ``hidden_size`` GRU cells, fed the last label and what was seen for it.

    ``input_size`` is the encoder's ``dim``, ``labels`` the size of the alphabet; ``dropout`` is the
    share of values left out before, between and after the layers. As the speller of Chan et al.,
    "Listen, Attend and Spell" (2016), with GRU cells, and with a first state that comes from the
    encoder. Computes in float32 whatever the precision of the run.
    """

    def __init__(
        self,
        input_size: int,
        labels: int,
        hidden_size: int = 256,
        layers: int = 3,
        dropout: float = 0.2,
        attention_size: int = 128,
        attention_filters: int = 10,
        attention_width: int = 31,
    ) -> None:
        super().__init__()
        self.layers, self.hidden_size = layers, hidden_size
        self.embedding = nn.Embedding(labels, hidden_size)
        self.first_state = nn.Linear(2 * input_size, layers * hidden_size)
        self.values = nn.Linear(input_size, hidden_size)
        sizes = [2 * hidden_size] + [hidden_size] * (layers - 1)
        self.cells = nn.ModuleList(nn.GRUCell(size, hidden_size) for size in sizes)
        self.attention = Attention(hidden_size, attention_size, attention_filters, attention_width)
        self.joint = nn.Linear(2 * hidden_size, hidden_size)
        self.head = nn.Linear(hidden_size, labels)
        self.dropout = nn.Dropout(dropout)

    def begin(self, encoded: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        """Look over (batch, frames, input_size), (batch,) before the first label.

        The first state comes from the last true frame and the first one: there the two directions
        of a bidirectional encoder end.
        """
        with torch.autocast(encoded.device.type, enabled=False):
            encoded = encoded.float()
            rows = torch.arange(len(encoded), device=encoded.device)
            ends = torch.cat([encoded[rows, lengths - 1], encoded[:, 0]], dim=1)
            hidden = self.first_state(ends).tanh().unflatten(1, (self.layers, self.hidden_size))
            outside = padding_mask(lengths, encoded.shape[1])
            values = self.values(encoded).masked_fill(outside[:, :, None], 0.0)
            weights = encoded.new_zeros(outside.shape)
            weights[:, 0] = 1.0
            memory = Memory(values, self.attention.keys(values), outside)
            return memory, State(hidden, torch.zeros_like(values[:, 0]), weights)

    def step(self, previous: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        """The last labels (batch,) -> log-probabilities of the next (batch, labels), new state."""
        with torch.autocast(memory.values.device.type, enabled=False):
            output = torch.cat([self.dropout(self.embedding(previous)), state.context], dim=1)
            hidden = []
            for cell, before in zip(self.cells, state.hidden.unbind(1), strict=True):
                hidden.append(cell(output, before))
                output = self.dropout(hidden[-1])
            context, weights = self.attention(output, state.weights, memory)
            joint = self.joint(torch.cat([output, context], dim=1)).tanh()
            log_probs = self.head(self.dropout(joint)).log_softmax(dim=1)
            return log_probs, State(torch.stack(hidden, dim=1), context, weights)

    def forward(
        self, encoded: Tensor, lengths: Tensor, targets: Tensor, own_share: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Spell while being told the truth: the label before, of ``targets`` (batch, labels).

        ``own_share`` is the share of these labels put in by the decoder's own last guess. Returns
        log-probabilities (batch, labels + 1, size), of each label and of the end, and the weights
        of attention (batch, labels + 1, frames).
        """
        memory, state = self.begin(encoded, lengths)
        previous = targets.new_full((len(targets),), BOUNDARY)
        log_probs, weights = [], []
        for truth in [*targets.unbind(1), None]:
            found, state = self.step(previous, state, memory)
            log_probs.append(found)
            weights.append(state.weights)
            if truth is not None:
                previous = truth
                if own_share > 0.0:
                    guess = found[:, 1:].argmax(dim=1) + 1  # a label: nothing follows the end
                    own = torch.rand(len(guess), device=guess.device) < own_share
                    previous = torch.where(own, guess, truth)
        return torch.stack(log_probs, dim=1), torch.stack(weights, dim=1)
