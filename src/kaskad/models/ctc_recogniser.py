"""A recogniser trained by connectionist temporal classification (CTC)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import Count, Features, padding_mask
from kaskad.audio.spec_augment import SpecAugment
from kaskad.data.batch import Batch
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.metrics.error_rates import score
from kaskad.models.encoder import Encoder
from kaskad.models.schedules import Schedule
from kaskad.text.tokenizer import BLANK, Tokenizer

Decoder = Callable[[Tensor, Tensor], list[Hypothesis]]


class DivergedError(RuntimeError):
    """The loss is no longer a number: nothing more can be learnt in this run."""


class CTCRecogniser(lightning.LightningModule):
    """Features, an encoder, a linear head over the labels, CTC.

    ``decoder``, ``optimizer`` and ``scheduler`` are partial: each is finished here. A recogniser
    that only transcribes needs no ``optimizer``, ``scheduler`` or ``augment``.

    Source of CTC: Graves et al., "Connectionist Temporal Classification" (ICML 2006).
    """

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        tokenizer: Tokenizer,
        decoder: Callable[..., Decoder],
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Schedule] | None = None,
        augment: SpecAugment | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.augment = augment
        self.head = nn.Linear(encoder.dim, tokenizer.size)
        self.decoder = decoder(tokenizer=tokenizer, seconds_per_frame=self.seconds_per_frame)
        self.make_optimizer = optimizer
        self.make_schedule = scheduler
        self._judged: list[tuple[str, str]] = []

    @property
    def seconds_per_frame(self) -> float:
        """Between two frames of the encoder."""
        hop = self.features.hop / self.features.sample_rate
        return hop * self.encoder.time_reduction

    def frame_count(self, samples: Count) -> Count:
        """Frames of the encoder for ``samples`` samples: CTC must place its labels on them."""
        return self.encoder.frame_count(self.features.frame_count(samples))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> log-probabilities (batch, frames', labels), (batch,)."""
        features, lengths = self.features(waveforms, lengths)
        if self.training and self.augment is not None:
            features = self.augment(features, lengths)
        encoded, lengths = self.encoder(features, lengths)
        # Probabilities of hundreds of frames multiply: float32 whatever the precision of the run.
        return self.head(encoded).float().log_softmax(dim=2), lengths

    def losses(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """The loss of each utterance that can be aligned, per label (at most batch,)."""
        # With zero_infinity an impossible utterance has a gradient of 0 rather than NaN; left in
        # the mean, its loss of 0 would pass for a perfect one.
        losses = F.ctc_loss(
            log_probs.transpose(0, 1),
            batch.targets,
            lengths,
            batch.target_lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
        repeats = batch.targets[:, 1:] == batch.targets[:, :-1]
        repeats &= ~padding_mask(batch.target_lengths - 1, repeats.shape[1])
        possible = lengths >= batch.target_lengths + repeats.sum(1)
        return (losses / batch.target_lengths.clamp(min=1))[possible]

    def training_step(self, batch: Batch, batch_index: int) -> Tensor | None:
        if len(batch) == 0:
            return None
        log_probs, lengths = self(batch.waveforms, batch.waveform_lengths)
        losses = self.losses(log_probs, lengths, batch)
        # Speed perturbation may shorten what could be aligned before.
        left_out = float(len(batch) - len(losses))
        self.log("training/unalignable", left_out, on_epoch=True, on_step=False, reduce_fx="sum")
        if losses.numel() == 0:
            return None
        loss = losses.mean()
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at step {self.global_step} (utterances "
                f"{', '.join(batch.ids[:3])}, …); try a lower optimizer.lr"
            )
        self.log(
            "training/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(batch)
        )
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        if len(batch) == 0:
            return
        log_probs, lengths = self(batch.waveforms, batch.waveform_lengths)
        losses = self.losses(log_probs, lengths, batch)
        if losses.numel():
            self.log("validation/loss", losses.mean(), batch_size=len(losses))
        texts = [hypothesis.text for hypothesis in self.decoder(log_probs, lengths)]
        self._language = batch.language
        self._judged += zip(batch.texts, texts, strict=True)

    def on_validation_epoch_end(self) -> None:
        if self._judged:
            references, hypotheses = zip(*self._judged, strict=True)
            figures = score(references, hypotheses, self._language).figures()
            self.log_dict({f"validation/{name}": value for name, value in figures.items()})
            self.log("wer", figures["wer"], prog_bar=True, logger=False)
        self._judged.clear()

    def test_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> dict[str, Any]:
        return {"hypotheses": self.recognise(batch)}

    def predict_step(self, batch: Batch, batch_index: int) -> list[Hypothesis]:
        return self.recognise(batch)

    def recognise(self, batch: Batch) -> list[Hypothesis]:
        """What is said in each utterance of the batch."""
        if len(batch) == 0:
            return []
        return self.decoder(*self(batch.waveforms, batch.waveform_lengths))

    @torch.inference_mode()
    def transcribe(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """What is said in each of (samples,) float32 at ``features.sample_rate`` Hz."""
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
        return self.decoder(*self.eval()(padded.to(self.device), lengths.to(self.device)))

    def configure_optimizers(self) -> Any:
        if self.make_optimizer is None:
            raise ValueError("this recogniser was loaded to transcribe: it has no optimizer")
        optimizer = self.make_optimizer(self.parameters())
        if self.make_schedule is None:
            return optimizer
        schedule = self.make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": schedule}
