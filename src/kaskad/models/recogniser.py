"""What every recogniser does around its net: train, validate, test, transcribe."""

import logging
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from kaskad.audio.augment.spec_augment import SpecAugment
from kaskad.audio.features import Features
from kaskad.audio.files import AudioError
from kaskad.audio.masks import Count
from kaskad.audio.samples import WANTED, Audio, read_or_convert
from kaskad.data.batch import Batch, batches_of, untranscribed
from kaskad.data.corpus import Role
from kaskad.data.datamodule import SpeechDataModule
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.metrics import error_rates
from kaskad.metrics.scores import Scores
from kaskad.models.losses import Losses, sums_and_counts, with_total
from kaskad.models.module import Learner
from kaskad.models.schedules import Schedule
from kaskad.models.streaming import HEARS_WHOLE_UTTERANCES, Stream, StreamingError
from kaskad.runs import distributed
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint
from kaskad.runs.trusted_parts import load_model
from kaskad.text.phonemes import phones_of
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

OBSERVED = 1_000  # utterances of the training corpus whose statistics normalise features


class Recogniser(Learner):
    """Waveforms in, hypotheses out: a subclass has ``losses``, ``decode``, ``loss_and_decode``.

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
    # Its losses, and how much each counts in the one that is minimised; a subclass sets it. Where
    # there are several, each is logged: ``training/loss_ctc``.
    loss_shares: Mapping[str, float]

    def __init__(
        self,
        features: Features,
        tokenizer: Tokenizer,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Schedule] | None = None,
        augment: SpecAugment | None = None,
        objective: str = "wer",
    ) -> None:
        super().__init__(tokenizer, optimizer, scheduler)
        self.features = features
        self.augment = augment
        self.objective = objective
        # Of the last training step, for those who watch: the losses of this process by corpus, and
        # how many utterances all processes had, and used.
        self.utterance_losses: dict[str, Tensor] = {}
        self.seen = self.used = 0
        # Of a validation, as far as it is: references and hypotheses, and losses.
        self.decoded: list[tuple[str, str]] = []
        self._losses: defaultdict[str, list[float]] = defaultdict(list)

    def setup(self, stage: str) -> None:
        """Let no two processes of a run draw the same numbers: for dropout and augmentation."""
        # They are: each figure that is logged here has been found by all of them together.
        warnings.filterwarnings("ignore", "It is recommended to use `self.log")
        if distributed.rank() > 0:
            torch.manual_seed(torch.initial_seed() + distributed.rank())
        if stage == "fit" and self.features.corpus_is_missing:
            self._observe_corpus(self.trainer.datamodule)  # type: ignore[attr-defined]

    def losses(self, batch: Batch) -> Losses:
        """By the names of ``loss_shares``, the loss, per label, of each utterance (batch,); Inf
        where no utterance can be used."""
        raise NotImplementedError

    def decode(self, batch: Batch) -> list[Hypothesis]:
        """The hypothesis for each utterance of the batch."""
        raise NotImplementedError

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        """``losses`` and ``decode`` of a batch, from one pass through the net."""
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

    def extract_features(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, frames, bins) of the waveforms, in training augmented, and lengths."""
        features, lengths = self.features(waveforms, lengths)
        if self.training and self.augment is not None:
            features = self.augment(features, lengths)
        return features, lengths

    def _observe_corpus(self, data: SpeechDataModule) -> None:
        """Let the normalisation of the features have statistics of the training corpus."""
        self.features.eval()
        for signal in data.excerpt(OBSERVED):
            waveform = torch.from_numpy(signal)[None].to(self.device)
            self.features.observe(waveform, torch.tensor([len(signal)], device=self.device))
        self.features.finish_observing()

    def training_step(self, step: Batch | Sequence[Batch], batch_index: int) -> Tensor | None:
        """The mean over corpora, however large, of the mean loss of their utterances; ``None`` if
        no loss is finite.

        Each process of a run has a share of the utterances, and returns its share of that loss such
        that the mean over processes, which DDP takes of their gradients, is all of it.
        """
        batches = batches_of(step)
        losses = [self.training_losses(batch) for batch in batches]
        named = zip(batches, losses, strict=True)
        self.utterance_losses = {batch.corpus: each["loss"].detach() for batch, each in named}
        sums, counts = sums_and_counts(losses)
        sizes = torch.tensor([len(batch) for batch in batches], device=self.device)
        self.seen, self.used = int(distributed.total(sizes).sum()), int(counts[0].sum())
        lost = float(self.seen - self.used)
        self.log("training/non_finite", lost, on_epoch=True, on_step=False, reduce_fx="sum")
        if self.used == 0:
            return None if distributed.count() == 1 else self.no_share()
        self._log_losses([*losses[0]], [batch.corpus for batch in batches], sums / counts)
        finite = [each["loss"][each["loss"].isfinite()] for each in losses]
        if not any(map(len, finite)):
            return self.no_share()
        found = zip(batches, finite, counts[0], strict=True)
        return (
            self.weighed([(b, each.sum() / n) for b, each, n in found if n]) * distributed.count()
        )

    def weighed(self, losses: Sequence[tuple[Batch, Tensor]]) -> Tensor:
        """The loss of a step: the mean of the losses of its corpora."""
        return torch.stack([loss for _, loss in losses]).sum() / len(losses)

    def _log_losses(self, names: list[str], corpora: list[str], means: Tensor) -> None:
        """Log the means (names, corpora), NaN of nothing; the first is the loss to minimise."""
        size = self.seen
        loss, *parts = means.nanmean(dim=1)
        self.log("training/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=size)
        named = {f"training/{name}": mean for name, mean in zip(names[1:], parts, strict=True)}
        if len(corpora) > 1:
            named |= {f"training/loss/{c}": mean for c, mean in zip(corpora, means[0], strict=True)}
        found = {name: mean for name, mean in named.items() if not mean.isnan()}
        self.log_dict(found, on_step=False, on_epoch=True, batch_size=size)

    def training_losses(self, batch: Batch) -> Losses:
        """``loss``, which is minimised, and what it is made of, of each utterance (batch,); NaN
        for one with a sample that is not finite."""
        if len(batch) == 0:
            nothing = torch.zeros(0, device=self.device)
            return with_total({name: nothing for name in self.loss_shares}, self.loss_shares)
        sound = batch.finite_audio()
        # A single other sample would spoil the statistics of batch normalisation for good.
        losses = self.losses(batch if sound.all() else batch.silenced(~sound))
        losses = {name: loss.where(sound, torch.nan) for name, loss in losses.items()}
        return with_total(losses, self.loss_shares)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self._language = batch.language
        if len(batch) == 0:
            return
        losses, hypotheses = self.loss_and_decode(batch)
        for name, loss in with_total(losses, self.loss_shares).items():
            self._losses[name] += loss[loss.isfinite()].tolist()
        texts = [hypothesis.text for hypothesis in hypotheses]
        self.decoded += zip(batch.texts, texts, strict=True)

    def on_validation_epoch_end(self) -> None:
        decoded = [*chain(*distributed.gathered(self.decoded))]
        losses = distributed.gathered(self._losses)
        for name in dict.fromkeys(chain(*losses)):
            each = [*chain(*(ours[name] for ours in losses))]
            if each:
                self.log(f"validation/{name}", sum(each) / len(each))
        self.decoded, self._losses = [], defaultdict(list)
        if decoded:
            references, hypotheses = zip(*decoded, strict=True)
            figures = self.score(references, hypotheses, self._language).figures()
            self.log_dict({f"validation/{name}": value for name, value in figures.items()})
            self.log(self.objective, figures[self.objective], prog_bar=True, logger=False)

    def test_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> dict[str, Any]:
        return {"hypotheses": self.predict_step(batch, batch_index)}

    def predict_step(self, batch: Batch, batch_index: int) -> list[Hypothesis]:
        """Decode the batch; a warning names utterances for which there is no hypothesis."""
        if len(batch) == 0:
            return []
        hypotheses = self.decode(batch)
        for id_, hypothesis in zip(batch.ids, hypotheses, strict=True):
            if hypothesis.problem is not None:
                log.warning("%s: no hypothesis: %s", id_, hypothesis.problem)
        return hypotheses

    @overload
    def transcribe(  # type: ignore[overload-overlap]  # a str is a file, not a sequence
        self, audio: Audio, sample_rate: int | None = None
    ) -> Hypothesis: ...

    @overload
    def transcribe(
        self, audio: Sequence[Audio], sample_rate: int | None = None
    ) -> list[Hypothesis]: ...

    def transcribe(
        self, audio: Audio | Sequence[Audio], sample_rate: int | None = None
    ) -> Hypothesis | list[Hypothesis]:
        """Recognise a recording, or each of a list of them.

        Args:
            audio: A file, or samples: an array or tensor, (samples,) or (samples, channels), of
                integers or of floats in [-1, 1]. A list of these is one batch.
            sample_rate: Of the samples, in Hz: that of ``features`` unless given. Any other is
                resampled. A file knows its own.

        Returns:
            A ``Hypothesis``: ``text``, ``words`` with start, end (seconds) and confidence. For a
            list, a list of them.

        Raises:
            AudioError: If a file or the samples cannot be used; the message says why.
        """
        rate = self.features.sample_rate
        if isinstance(audio, str | Path | np.ndarray | Tensor):
            return self.transcribe([audio], sample_rate)[0]
        if not isinstance(audio, Sequence):
            raise AudioError(f"{type(audio).__name__} is no audio: {WANTED}")
        if len(audio) == 0:
            return []
        given = rate if sample_rate is None else sample_rate
        return self.decode_waveforms([read_or_convert(each, given, rate) for each in audio])

    def stream(self, sample_rate: int | None = None, endpoint: float | None = None) -> Stream:
        """Recognise speech while it is spoken: see ``Stream``. Raises ``StreamingError``."""
        raise StreamingError(f"a {type(self).__name__} {HEARS_WHOLE_UTTERANCES}")

    @torch.inference_mode()
    def decode_waveforms(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """Decode each of (samples,) float32 at ``features.sample_rate`` Hz, or (frames, bins) of
        ready features."""
        return self.eval().decode(untranscribed(waveforms).to(self.device))


def load_recogniser(
    path: str | Path, *, decoder: DictConfig | None = None, trusted: Sequence[str] = ()
) -> tuple[Recogniser, dict[str, Any]]:
    """Return the recogniser of a checkpoint, ready to transcribe, and the run's configuration.

    ``path`` is a checkpoint or a folder of runs (see ``find_checkpoint``); ``decoder`` replaces
    the decoder it was trained with; ``trusted`` names packages, besides kaskad, whose classes the
    checkpoint may use. Raises ``CheckpointError``.
    """
    path = find_checkpoint(Path(path))
    parts = {} if decoder is None else {"decoder": OmegaConf.to_container(decoder, resolve=True)}
    recogniser, config = load_model(path, trusted=trusted, **parts)
    return require_recogniser(recogniser, path), config


def require_recogniser(model: nn.Module, path: Path) -> Recogniser:
    """The model of a checkpoint; raises ``CheckpointError`` where that recognises nothing."""
    if not isinstance(model, Recogniser):
        uses = {
            "text": "a language model serves as decoder.rescore=… beside the checkpoint of a "
            "recogniser",
            "pronunciations": "a model of pronunciations serves as tokenizer.pronunciations=…, and "
            "in Python as kaskad.load(…).pronounce([…])",
            "corrections": "a corrector serves as corrector=… beside the checkpoint of one",
        }
        use = uses.get(getattr(model, "learns_from_data", ""), uses["text"])
        raise CheckpointError(f"{path}: a {type(model).__name__}, which recognises nothing; {use}")
    return model
