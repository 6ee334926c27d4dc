"""A recogniser trained by connectionist temporal classification (CTC)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import Features
from kaskad.audio.masks import Count, padding_mask
from kaskad.data.batch import Batch
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.losses import Losses
from kaskad.models.recogniser import Recogniser
from kaskad.text.tokenizer import BLANK, Tokenizer

Decoder = Callable[[Tensor, Tensor], list[Hypothesis]]


class CTCRecogniser(Recogniser):
    """Features, an encoder, a linear head over the labels, CTC.

    ``decoder`` is partial: it is finished here. What trains it (``optimizer``, ``scheduler``,
    ``augment``) is handed on to ``Recogniser``.

    Source of CTC: Graves et al., "Connectionist Temporal Classification" (ICML 2006).
    """

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        tokenizer: Tokenizer,
        decoder: Callable[..., Decoder],
        **training: Any,
    ) -> None:
        super().__init__(features, tokenizer, **training)
        self.loss_shares = {"ctc": 1.0}
        self.encoder = encoder
        self.head: nn.Module = nn.Linear(encoder.dim, tokenizer.size)
        self.decoder = decoder(tokenizer=tokenizer, seconds_per_frame=self.seconds_per_frame)

    @property
    def seconds_per_frame(self) -> float:
        """Between two frames of the encoder."""
        hop = self.features.hop / self.features.sample_rate
        return hop * self.encoder.time_reduction

    def frame_count(self, samples: Count) -> Count:
        """Frames of the encoder for ``samples`` samples."""
        return self.encoder.frame_count(self.features.frame_count(samples))

    def alignment_frames(self, samples: Count) -> Count:
        return self.frame_count(samples)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> log-probabilities (batch, frames', labels), (batch,)."""
        encoded, lengths = self.encoder(*self.extract_features(waveforms, lengths))
        # Probabilities of hundreds of frames multiply: float32 whatever the precision of the run.
        return self.head(encoded).float().log_softmax(dim=2), lengths

    def posteriors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``forward`` for a batch."""
        return self(batch.waveforms, batch.waveform_lengths)

    @torch.inference_mode()
    def posteriors_of(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Log-probabilities (frames', labels) of each of (samples,) float32."""
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
        log_probs, frames = self.eval()(padded.to(self.device), lengths.to(self.device))
        return [row[:count] for row, count in zip(log_probs, frames.tolist(), strict=True)]

    def losses(self, batch: Batch) -> Losses:
        return {"ctc": ctc_losses(*self.posteriors(batch), batch)}

    def decode(self, batch: Batch) -> list[Hypothesis]:
        return self.decoder(*self.posteriors(batch))

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        log_probs, lengths = self.posteriors(batch)
        losses = {"ctc": ctc_losses(log_probs, lengths, batch)}
        return losses, self.decoder(log_probs, lengths)


def ctc_losses(log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """The loss of each utterance, per label (batch,); Inf if it cannot be aligned.

    ``log_probs`` is (batch, frames, labels), ``lengths`` (batch,).
    """
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
