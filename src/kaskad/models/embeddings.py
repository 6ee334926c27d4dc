"""What a net makes of an utterance as a whole: one vector, by which utterances are compared."""

from typing import Any

from torch import Tensor

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder


class EmbeddingHook:
    """Watches an encoder: ``take`` gives the embeddings of the batch that last went through it,
    whatever it went through for. Until ``remove``.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoded: tuple[Tensor, Tensor] | None = None
        self._hook = encoder.register_forward_hook(self._keep)

    def take(self) -> Tensor | None:
        """The mean over time of what came out, (batch, dim), on its device; once for each batch."""
        if self._encoded is None:
            return None
        encoded, lengths = self._encoded
        self._encoded = None
        outside = padding_mask(lengths, encoded.shape[1])[:, :, None]
        return encoded.masked_fill(outside, 0.0).sum(1) / lengths[:, None]

    def remove(self) -> None:
        """Stop watching."""
        self._hook.remove()
        self._encoded = None

    def _keep(self, encoder: Any, inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        encoded, lengths = outputs
        self._encoded = encoded.detach(), lengths
