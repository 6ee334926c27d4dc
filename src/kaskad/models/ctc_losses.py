"""The losses of connectionist temporal classification (CTC), and what keeps a net from being sure.

All are of each utterance, (batch,), from log-probabilities (batch, frames, labels) and lengths
(batch,).
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.data.batch import Batch
from kaskad.models.losses import Losses
from kaskad.text.tokenizer import BLANK, Tokenizer


class CTCLoss(nn.Module):
    """What a net with a linear head over the labels learns by: CTC, for the labels of a tokenizer.

    ``shares`` says how much of the loss each of its parts is.
    """

    shares: Mapping[str, float]

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.shares = {"ctc": 1.0}

    def observe(self, texts: Iterable[Sequence[int]]) -> None:
        """Look at the labels of each training transcript, before training begins."""

    def forward(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Losses:
        """By the names of ``shares``, the loss of each utterance, per label (batch,); Inf if it
        cannot be aligned. ``log_probs`` (batch, frames, labels) has ``lengths`` (batch,) frames."""
        return {"ctc": ctc_losses(log_probs, lengths, batch)}


def log_probabilities(head: nn.Module, encoded: Tensor) -> Tensor:
    """Those of the labels, (batch, frames, labels), of what a head makes of encoded frames."""
    # Probabilities of hundreds of frames multiply: float32 whatever the precision of the run.
    return head(encoded).float().log_softmax(dim=2)


def ctc_losses(log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """The loss of each utterance, per label (batch,); Inf if it cannot be aligned."""
    # With zero_infinity an impossible utterance has a gradient of 0 rather than NaN; but its loss
    # is then 0, too, and would pass for a perfect one.
    losses = F.ctc_loss(
        log_probs.transpose(0, 1),
        batch.targets,
        lengths,
        batch.target_lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return (losses / batch.target_lengths.clamp(min=1)).where(
        lengths >= frames_needed(batch), torch.inf
    )


def frames_needed(batch: Batch) -> Tensor:
    """What CTC needs to align each utterance (batch,): a frame a label, one between equal ones."""
    repeats = batch.targets[:, 1:] == batch.targets[:, :-1]
    repeats &= ~padding_mask(batch.target_lengths - 1, repeats.shape[1])
    return batch.target_lengths + repeats.sum(1)


def distance_from_uniform(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """The cross-entropy with all labels alike, on average over the frames (batch,).

    Label smoothing for CTC: Kim et al., "Improved Training for Online End-to-End Speech Recognition
    Systems" (Interspeech 2018), section 3.
    """
    return _mean_over_frames(-log_probs.mean(dim=2), lengths)


def negative_entropy(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Minus the entropy of the labels, on average over the frames (batch,).

    Source: Pereyra et al., "Regularizing Neural Networks by Penalizing Confident Output
    Distributions" (2017).
    """
    return _mean_over_frames((log_probs.exp() * log_probs).sum(dim=2), lengths)


def _mean_over_frames(values: Tensor, lengths: Tensor) -> Tensor:
    outside = padding_mask(lengths, values.shape[1])
    return values.masked_fill(outside, 0.0).sum(dim=1) / lengths.clamp(min=1)
