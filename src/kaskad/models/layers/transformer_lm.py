"""A transformer that predicts a text, label after label."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.decoding.attention_beam import BOUNDARY

LONGEST_WAVE = 10_000.0  # labels, over 2 π


class TransformerLanguageModel(nn.Module):
    """``size`` labels, each as ``dim`` values, into ``layers`` of ``heads`` that look back.

    ``forward`` is that of ``LSTMLanguageModel``; the label 0 begins and ends a sentence, as there.
    What stands beyond a sentence's length never reaches what stands within.

    Args:
        size: Labels.
        dim: Values that stand for a label, in every layer.
        heads: Places that a layer looks at at once; they share ``dim`` between them.
        layers: How many.
        feed_forward: Units between two layers of attention.
        dropout: The share of values left out after the embedding and within the layers.

    Raises:
        ValueError: If ``dim`` cannot be shared out, or is odd.

    Source: Irie et al., "Language Modeling with Deep Transformers" (Interspeech 2019); layers are
    normalised first, after Xiong et al., "On Layer Normalization in the Transformer Architecture"
    (2020).
    """

    def __init__(
        self,
        size: int,
        dim: int = 128,
        heads: int = 4,
        layers: int = 4,
        feed_forward: int = 512,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if dim % heads or dim % 2:
            raise ValueError(f"dim is {dim}; it must be even, and a multiple of heads ({heads})")
        self.embedding = nn.Embedding(size, dim)
        layer = nn.TransformerEncoderLayer(
            dim, heads, feed_forward, dropout, "gelu", batch_first=True, norm_first=True
        )
        normalisation = nn.LayerNorm(dim)
        self.layers = nn.TransformerEncoder(
            layer, layers, normalisation, enable_nested_tensor=False
        )
        self.head = nn.Linear(dim, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, labels: Tensor, lengths: Tensor) -> Tensor:
        before = self.embedding(F.pad(labels, (1, 0), value=BOUNDARY))
        before = self.dropout(before + places(*before.shape[1:]).to(before))
        later = nn.Transformer.generate_square_subsequent_mask(before.shape[1], before.device)
        predicted = self.head(self.layers(before, later, is_causal=True))
        # Probabilities of many labels multiply: float32 whatever the precision of the run.
        return predicted.float().log_softmax(dim=2)


def places(count: int, dim: int) -> Tensor:
    """What tells each of ``count`` places from the others, however many there are: (count, dim).

    Sines and cosines, after Vaswani et al., "Attention Is All You Need" (2017), section 3.5.
    """
    rates = LONGEST_WAVE ** (-torch.arange(0, dim, 2) / dim)
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
