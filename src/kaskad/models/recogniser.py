"""What every recogniser does around its net: train, validate, test, transcribe."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import Count, Features
from kaskad.audio.spec_augment import SpecAugment
from kaskad.data.batch import Batch, batches_of
from kaskad.data.corpus import Role
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.metrics import error_rates
from kaskad.metrics.scores import Scores
from kaskad.models.schedules import Schedule
from kaskad.text.phonemes import phones_of
from kaskad.text.tokenizer import Tokenizer, difference

log = logging.getLogger(__name__)


class Recogniser(lightning.LightningModule):
    """Waveforms in, hypotheses out. A subclass says how: ``losses``, ``hypotheses``, ``judge``.

    ``optimizer`` and ``scheduler`` are partial: each is finished here. A recogniser that only
    transcribes needs neither, nor ``augment``. ``objective`` names the figure of ``score`` that is
    shown while training.
    """

    # The column of the manifest that is recognised.
    target = "text"
    # Count errors of phones as well where the labels are none: both sides as espeak-ng says them.
    phone_errors = False
    # The roles of the corpora that it learns from.
    learns_from: tuple[Role, ...] = ("train",)

    def __init__(
        self,
        features: Features,
        tokenizer: Tokenizer,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Schedule] | None = None,
        augment: SpecAugment | None = None,
        objective: str = "wer",
    ) -> None:
        super().__init__()
        self.features = features
        self.tokenizer = tokenizer
        self.augment = augment
        self.make_optimizer = optimizer
        self.make_schedule = scheduler
        self.objective = objective
        # Of the last training step, by corpus: for those who watch.
        self.utterance_losses: dict[str, Tensor] = {}
        self._judged: list[tuple[str, str]] = []

    def losses(self, batch: Batch) -> Tensor:
        """The loss, per label, of each utterance (batch,); Inf where nothing can be learnt."""
        raise NotImplementedError

    def hypotheses(self, waveforms: Tensor, lengths: Tensor) -> list[Hypothesis]:
        """What is said in each of (batch, samples), (batch,)."""
        raise NotImplementedError

    def judge(self, batch: Batch) -> tuple[Tensor, list[Hypothesis]]:
        """``losses`` and ``hypotheses`` of a batch, from one pass through the net."""
        raise NotImplementedError

    def score(self, references: Sequence[str], hypotheses: Sequence[str], language: str) -> Scores:
        """Compare hypotheses with references (normalised), utterance by utterance."""
        phones = self.tokenizer.phones
        if phones is None and self.phone_errors:
            phones = phones_of(language)
        return error_rates.score(references, hypotheses, language, phones)

    def alignment_frames(self, samples: Count) -> Count:
        """The frames on which the labels must find room; here each sample would do: no limit."""
        return samples

    def see(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, frames, bins) of the waveforms, in training augmented, and lengths."""
        features, lengths = self.features(waveforms, lengths)
        if self.training and self.augment is not None:
            features = self.augment(features, lengths)
        return features, lengths

    def training_step(self, step: Batch | Sequence[Batch], batch_index: int) -> Tensor | None:
        """The mean over corpora, however large, of the mean loss of their utterances."""
        batches = batches_of(step)
        means = {batch.corpus: self.mean_loss(batch) for batch in batches}
        losses = {corpus: loss for corpus, loss in means.items() if loss is not None}
        if not losses:
            return None
        size = sum(map(len, batches))
        loss = torch.stack([*losses.values()]).mean()
        self.log("training/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=size)
        if len(batches) > 1:
            named = {f"training/loss/{corpus}": loss for corpus, loss in losses.items()}
            self.log_dict(named, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def mean_loss(self, batch: Batch) -> Tensor | None:
        """Of the utterances whose loss is finite; ``None`` if there are none."""
        if len(batch) == 0:
            return None
        losses = self.training_losses(batch)
        self.utterance_losses[batch.corpus] = losses.detach()
        finite = losses.isfinite()
        left_out = (~finite).sum().float()
        self.log("training/non_finite", left_out, on_epoch=True, on_step=False, reduce_fx="sum")
        return losses[finite].mean() if finite.any() else None

    def training_losses(self, batch: Batch) -> Tensor:
        """As ``losses``; NaN for an utterance with a sample that is not finite."""
        sound = finite_audio(batch)
        if not sound.all():
            # A single such sample would spoil the statistics of batch normalisation for good.
            batch = replace(batch, waveforms=batch.waveforms.where(sound[:, None], 0.0))
        return self.losses(batch).where(sound, torch.nan)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        if len(batch) == 0:
            return
        losses, hypotheses = self.judge(batch)
        losses = losses[losses.isfinite()]
        if losses.numel():
            self.log("validation/loss", losses.mean(), batch_size=len(losses))
        self._language = batch.language
        texts = [hypothesis.text for hypothesis in hypotheses]
        self._judged += zip(batch.texts, texts, strict=True)

    def on_validation_epoch_end(self) -> None:
        if self._judged:
            references, hypotheses = zip(*self._judged, strict=True)
            figures = self.score(references, hypotheses, self._language).figures()
            self.log_dict({f"validation/{name}": value for name, value in figures.items()})
            self.log(self.objective, figures[self.objective], prog_bar=True, logger=False)
        self._judged.clear()

    def test_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> dict[str, Any]:
        return {"hypotheses": self.recognise(batch)}

    def predict_step(self, batch: Batch, batch_index: int) -> list[Hypothesis]:
        return self.recognise(batch)

    def recognise(self, batch: Batch) -> list[Hypothesis]:
        """What is said in each utterance of the batch; a warning names those without an answer."""
        if len(batch) == 0:
            return []
        hypotheses = self.listen(batch)
        for id_, hypothesis in zip(batch.ids, hypotheses, strict=True):
            if hypothesis.problem is not None:
                log.warning("%s: nothing was heard: %s", id_, hypothesis.problem)
        return hypotheses

    def listen(self, batch: Batch) -> list[Hypothesis]:
        """``hypotheses`` for a batch."""
        return self.hypotheses(batch.waveforms, batch.waveform_lengths)

    @torch.inference_mode()
    def transcribe(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """What is said in each of (samples,) float32 at ``features.sample_rate`` Hz."""
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
        return self.eval().hypotheses(padded.to(self.device), lengths.to(self.device))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["labels"] = self.tokenizer.labels

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise ``ValueError`` if the weights to come were trained for other labels."""
        ours = self.tokenizer.labels
        theirs = checkpoint.get("labels", ours)
        if theirs != ours:
            raise ValueError(
                f"the weights of the checkpoint are for a tokenizer with {len(theirs)} labels, and "
                f"that of this run has {len(ours)}; {difference(ours, theirs)}. Go on with the "
                "tokenizer and the training text of the checkpoint, or begin anew"
            )

    def configure_optimizers(self) -> Any:
        if self.make_optimizer is None:
            raise ValueError("this recogniser was loaded to transcribe: it has no optimizer")
        optimizer = self.make_optimizer(self.parameters())
        if self.make_schedule is None:
            return optimizer
        schedule = self.make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def finite_audio(batch: Batch) -> Tensor:
    """Whether all samples of an utterance are finite (batch,): so then is their sum."""
    return batch.waveforms.sum(dim=1).isfinite()
