"""LSTM layers that predict a text, label after label."""

import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.decoding.attention_beam import BOUNDARY
from kaskad.models.layers.rnn import LSTM


class LSTMLanguageModel(nn.Module):
    """``size`` labels, each as ``embedding_size`` values, into ``layers`` of ``hidden_size`` cells.

    ``forward(labels (batch, labels), lengths (batch,)) -> (batch, labels + 1, size)``: the
    log-probabilities of each label after those before it, and of what follows the last. The label
    0, which is CTC's blank and stands for nothing in a text, begins and ends every sentence.
    ``dropout`` is the share of values left out before, between and after the layers. What stands
    beyond a sentence's length never reaches what stands within.

    Source: Sundermeyer et al., "LSTM Neural Networks for Language Modeling" (Interspeech 2012).
    """

    def __init__(
        self,
        size: int,
        embedding_size: int = 64,
        hidden_size: int = 256,
        layers: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, embedding_size)
        self.lstm = LSTM(
            embedding_size, layers, hidden_size=hidden_size, bidirectional=False, dropout=dropout
        )
        self.head = nn.Linear(hidden_size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, labels: Tensor, lengths: Tensor) -> Tensor:
        before = self.dropout(self.embedding(F.pad(labels, (1, 0), value=BOUNDARY)))
        predicted = self.head(self.lstm(before, lengths + 1))
        # Probabilities of many labels multiply: float32 whatever the precision of the run.
        return predicted.float().log_softmax(dim=2)
