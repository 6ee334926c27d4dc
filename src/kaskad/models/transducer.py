"""A transducer: joins the encoder's output for a frame with a prediction from the labels so far."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.data.batch import Batch
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.transducer_search import TransducerSearch
from kaskad.models.ctc_losses import ctc_losses, log_probabilities
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.prediction import Joiner, PredictionNet
from kaskad.models.losses import Losses
from kaskad.models.recogniser import Recogniser
from kaskad.text.tokenizer import BLANK, Tokenizer


class TransducerRecogniser(Recogniser):
    """Features, any encoder, a net that predicts labels, and one that joins the two.

    Source: Graves, "Sequence Transduction with Recurrent Neural Networks" (2012). It decodes
    whole utterances; streams are for CTC.

    Args:
        features: what the encoder is given.
        encoder: any.
        tokenizer: any.
        prediction: partial; it is finished here.
        search: partial; it is finished here.
        joint_size: values in which frames and labels meet.
        ctc_weight: the share of the loss that is CTC's on the encoder alone, which then learns
            sooner where labels stand.
        **training: as in ``Recogniser``.
    """

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        tokenizer: Tokenizer,
        prediction: Callable[..., PredictionNet],
        search: Callable[..., TransducerSearch],
        joint_size: int = 128,
        ctc_weight: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(features, tokenizer, **training)
        self.encoder = encoder
        self.prediction = prediction(labels=tokenizer.size)
        self.joiner = Joiner(encoder.dim, self.prediction.dim, joint_size, tokenizer.size)
        shares = {"transducer": 1.0 - ctc_weight, "ctc": ctc_weight}
        self.loss_shares = {name: share for name, share in shares.items() if share}
        self.ctc_head = nn.Linear(encoder.dim, tokenizer.size) if ctc_weight > 0.0 else None
        hop = features.hop / features.sample_rate
        self.search = search(tokenizer=tokenizer, seconds_per_frame=hop * encoder.time_reduction)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> encoded frames (batch, frames', dim), (batch,)."""
        return self.encoder(*self.extract_features(waveforms, lengths))

    def losses(self, batch: Batch) -> Losses:
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        return self._losses_of(encoded, lengths, batch)

    def decode(self, batch: Batch) -> list[Hypothesis]:
        return self._search(*self(batch.waveforms, batch.waveform_lengths))

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        encoded, lengths = self(batch.waveforms, batch.waveform_lengths)
        return self._losses_of(encoded, lengths, batch), self._search(encoded, lengths)

    def _losses_of(self, encoded: Tensor, lengths: Tensor, batch: Batch) -> Losses:
        targets = batch.targets[:, : int(batch.target_lengths.max())]
        frames = encoded[:, : int(lengths.max())]
        scores = self.joiner(frames[:, :, None], self.prediction(targets)[:, None])
        each = transducer_losses(scores, targets, lengths, batch.target_lengths)
        losses = {"transducer": each / batch.target_lengths.clamp(min=1)}
        if self.ctc_head is not None:
            log_probs = log_probabilities(self.ctc_head, encoded)
            losses["ctc"] = ctc_losses(log_probs, lengths, batch)
        return losses

    def _search(self, encoded: Tensor, lengths: Tensor) -> list[Hypothesis]:
        return self.search(encoded, lengths, self.prediction, self.joiner)


def transducer_losses(
    scores: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor
) -> Tensor:
    """Minus the log-probability of each transcript, over all its alignments (batch,).

    Args:
        scores: of the labels, before the softmax: (batch, frames, labels + 1, size), float32.
        targets: (batch, labels).
        lengths: frames of each utterance (batch,); the longest has all.
        target_lengths: labels of each utterance (batch,); the longest has all.
    """
    # Heavy, and only needed here.
    from torchaudio.functional import rnnt_loss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torchaudio is no longer developed
        return rnnt_loss(
            scores,
            targets.int(),
            lengths.int(),
            target_lengths.int(),
            blank=BLANK,
            reduction="none",
        )
