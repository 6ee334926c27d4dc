"""CTC after a layer within an encoder: its lower layers learn to tell the labels as well."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kaskad.data.batch import Batch
from kaskad.models.ctc_losses import ctc_losses, log_probabilities
from kaskad.models.encoders.encoder import Encoder


class IntermediateCTC(nn.Module):
    """A linear head after each of some ``layers`` of an encoder, counted from 1.

    It watches the encoder whenever a batch goes through, and ``losses`` is for the last of them.
    Source: Lee and Watanabe, "Intermediate Loss Regularization for CTC-based Speech Recognition"
    (ICASSP 2021). Raises ``ValueError`` for a layer that the encoder does not have, or its last.
    """

    def __init__(self, encoder: Encoder, labels: int, layers: Sequence[int]) -> None:
        super().__init__()
        last = len(encoder.layer_dims)
        for number in layers:
            if not 0 < number < last:
                wrong = f"intermediate_layers={list(layers)}: there is no layer {number} to choose"
                raise ValueError(
                    f"{wrong}; those of this {type(encoder).__name__} before its last are "
                    f"{', '.join(map(str, range(1, last))) or 'none'}"
                )
        self.head = nn.ModuleDict(
            {str(number): nn.Linear(encoder.layer_dims[number - 1], labels) for number in layers}
        )
        self._encoded: dict[str, tuple[Tensor, Tensor]] = {}
        encoder.listener = self._watch

    def losses(self, batch: Batch) -> Tensor:
        """The loss of each utterance, per label, on average over the layers (batch,)."""
        taken, self._encoded = self._encoded, {}
        each = [
            ctc_losses(log_probabilities(self.head[number], encoded), lengths, batch)
            for number, (encoded, lengths) in taken.items()
        ]
        return torch.stack(each).mean(dim=0)

    def _watch(self, number: int, encoded: Tensor, lengths: Tensor) -> None:
        if str(number) in self.head:
            self._encoded[str(number)] = encoded, lengths
