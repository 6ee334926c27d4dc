"""The two parts of a transducer beside its encoder: what predicts labels, and what joins."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.text.tokenizer import BLANK


class Prediction(NamedTuple):
    """Where the prediction net stands in each row: its ``output`` (rows, dim), and the ``hidden``
    and ``cell`` values (rows, layers, hidden_size) behind it."""

    output: Tensor
    hidden: Tensor
    cell: Tensor

    def take(self, rows: Tensor) -> "Prediction":
        """The state of these rows, in this order."""
        return Prediction(*(part[rows] for part in self))

    def where(self, condition: Tensor, other: "Prediction") -> "Prediction":
        """These rows where the condition (rows,) holds, those of ``other`` elsewhere."""
        return Prediction(
            *(
                torch.where(condition.view(-1, *[1] * (ours.dim() - 1)), ours, theirs)
                for ours, theirs in zip(self, other, strict=True)
            )
        )


class PredictionNet(nn.Module):
    """LSTM layers over the labels so far.

    ``forward(targets (batch, labels)) -> (batch, labels + 1, dim)``: the prediction before each
    label, and after the last. The blank, label 0, stands for the beginning.

    Args:
        labels: how many there are, the blank included.
        embedding_size: values that stand for a label.
        hidden_size: cells of a layer, and ``dim``.
        layers: how many.
        dropout: the share of values left out before and after the layers.
    """

    def __init__(
        self,
        labels: int,
        embedding_size: int = 64,
        hidden_size: int = 128,
        layers: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(labels, embedding_size)
        self.lstm = nn.LSTM(embedding_size, hidden_size, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.dim = hidden_size

    def forward(self, targets: Tensor) -> Tensor:
        before = self.embedding(F.pad(targets, (1, 0), value=BLANK))
        return self.dropout(self.lstm(self.dropout(before))[0])

    def begin(self, rows: int) -> Prediction:
        """Before the first label of each row."""
        shape = rows, self.lstm.num_layers, self.dim
        nothing = self.embedding.weight.new_zeros(shape)
        start = torch.full((rows,), BLANK, device=nothing.device)
        return self.step(start, Prediction(nothing[:, 0], nothing, nothing))

    def step(self, labels: Tensor, state: Prediction) -> Prediction:
        """Go on by a label in each row (rows,)."""
        hidden, cell = (part.transpose(0, 1).contiguous() for part in state[1:])
        embedded = self.dropout(self.embedding(labels))[:, None]
        output, (hidden, cell) = self.lstm(embedded, (hidden, cell))
        return Prediction(
            self.dropout(output[:, 0]).to(embedded.dtype),
            hidden.transpose(0, 1).to(embedded.dtype),
            cell.transpose(0, 1).to(embedded.dtype),
        )


class Joiner(nn.Module):
    """The joint network: encoder output and prediction, added up, to scores of the labels.

    ``forward(encoded (…, encoded_size), predicted (…, predicted_size)) -> (…, labels)``, float32.
    """

    def __init__(self, encoded_size: int, predicted_size: int, size: int, labels: int) -> None:
        super().__init__()
        self.encoded = nn.Linear(encoded_size, size)
        self.predicted = nn.Linear(predicted_size, size, bias=False)
        self.head = nn.Linear(size, labels)

    def forward(self, encoded: Tensor, predicted: Tensor) -> Tensor:
        joint = (self.encoded(encoded) + self.predicted(predicted)).tanh()
        return self.head(joint).float()
