"""A recogniser trained by connectionist temporal classification (CTC)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import Features
from kaskad.audio.masks import Count
from kaskad.data.batch import Batch
from kaskad.data.datamodule import SpeechDataModule
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.models.ctc_losses import (
    CTCLoss,
    distance_from_uniform,
    log_probabilities,
    negative_entropy,
)
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.intermediate import IntermediateCTC
from kaskad.models.losses import Losses
from kaskad.models.recogniser import Recogniser
from kaskad.models.streaming import Stream
from kaskad.text.tokenizer import BLANK, Tokenizer

Decoder = Callable[[Tensor, Tensor], list[Hypothesis]]


class CTCRecogniser(Recogniser):
    """Features, an encoder, a linear head over the labels, CTC.

    Source of CTC: Graves et al., "Connectionist Temporal Classification" (ICML 2006).

    Args:
        features: what the encoder is given.
        encoder: any.
        tokenizer: any.
        decoder: partial; it is finished here.
        loss: partial; it is finished here.
        intermediate_layers: layers of the encoder, counted from 1, after which CTC learns as well.
        intermediate_weight: their share of the loss; see ``IntermediateCTC``.
        label_smoothing: the share of the loss that wants all labels alike in every frame.
        entropy_weight: how much the mean entropy of the frames takes off the loss.
        blank_bias: what the blank has in the head before training, above all labels.
        **training: as in ``Recogniser``.

    Raises:
        ValueError: for a layer that the encoder does not have.
    """

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        tokenizer: Tokenizer,
        decoder: Callable[..., Decoder],
        loss: Callable[..., CTCLoss] = CTCLoss,
        intermediate_layers: Sequence[int] = (),
        intermediate_weight: float = 0.3,
        label_smoothing: float = 0.0,
        entropy_weight: float = 0.0,
        blank_bias: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(features, tokenizer, **training)
        self.encoder = encoder
        head = nn.Linear(encoder.dim, tokenizer.size)
        with torch.no_grad():
            head.bias[BLANK] += blank_bias
        self.head: nn.Module = head
        self.decoder = decoder(tokenizer=tokenizer, seconds_per_frame=self.seconds_per_frame)
        self.loss = loss(tokenizer=tokenizer)
        beside = {
            "intermediate_ctc": intermediate_weight if intermediate_layers else 0.0,
            "uniform": label_smoothing,
        }
        rest = 1.0 - sum(beside.values())
        main = {name: rest * share for name, share in self.loss.shares.items()}
        shares = {**main, **beside, "negative_entropy": entropy_weight}
        self.loss_shares = {name: share for name, share in shares.items() if share}
        self.intermediate: IntermediateCTC | None = None
        if "intermediate_ctc" in self.loss_shares:
            self.intermediate = IntermediateCTC(encoder, tokenizer.size, intermediate_layers)

    def setup(self, stage: str) -> None:
        """Let the loss look at the training transcripts."""
        super().setup(stage)
        if stage == "fit":
            self.loss.observe(self._training_labels())

    def _training_labels(self) -> Iterator[list[int]]:
        """Those of each training transcript; no data is asked for before the first is."""
        data: SpeechDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        for name in data.loaded(*self.learns_from):
            yield from map(self.tokenizer.encode, data.manifests[name]["text"])

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
        return log_probabilities(self.head, encoded), lengths

    def weights_to_learn(self) -> Iterable[Any]:
        """As ``Learner``; layers of an encoder that others trained learn the slower, the lower they
        are, if it says so."""
        scales = {f"encoder.{name}": scale for name, scale in self.encoder.rate_scales().items()}
        if set(scales.values()) <= {1.0}:
            return super().weights_to_learn()
        rate = float(getattr(self.make_optimizer, "keywords", {}).get("lr", 1e-3))
        groups: dict[float, list[nn.Parameter]] = {}
        for name, weight in self.named_parameters():
            groups.setdefault(scales.get(name, 1.0), []).append(weight)
        return [
            {"params": weights, "lr": rate * scale, "scale": scale}
            for scale, weights in groups.items()
        ]

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
        return self._losses_of(*self.posteriors(batch), batch)

    def stream(self, sample_rate: int | None = None, endpoint: float | None = None) -> Stream:
        return Stream(self, sample_rate or self.features.sample_rate, endpoint)

    def decode(self, batch: Batch) -> list[Hypothesis]:
        return self.decoder(*self.posteriors(batch))

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        log_probs, lengths = self.posteriors(batch)
        return self._losses_of(log_probs, lengths, batch), self.decoder(log_probs, lengths)

    def _losses_of(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Losses:
        losses = self.loss(log_probs, lengths, batch)
        of_ctc = next(iter(losses.values())).detach()
        if self.intermediate is not None:
            losses["intermediate_ctc"] = self.intermediate.losses(batch)
        if "uniform" in self.loss_shares:
            losses["uniform"] = distance_from_uniform(log_probs, lengths)
        if "negative_entropy" in self.loss_shares:
            losses["negative_entropy"] = negative_entropy(log_probs, lengths)
        # An utterance that CTC cannot align does not count.
        return {name: loss.where(of_ctc.isfinite(), of_ctc) for name, loss in losses.items()}
