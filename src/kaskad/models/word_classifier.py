"""A recogniser with one label for each recording: a word, a command, yes or no, a gender."""

from collections import Counter
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.audio.masks import padding_mask
from kaskad.data.batch import Batch
from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule
from kaskad.decoding.hypothesis import Hypothesis, best_of
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.losses import Losses
from kaskad.models.recogniser import Recogniser
from kaskad.text.tokenizer import Tokenizer

SHOWN = 3  # of the transcripts that are no labels


class WordClassifier(Recogniser):
    """Features, any encoder, pooling over time, a linear head over the labels; cross-entropy.

    The labels are those of ``tokenizer``, of which an utterance has one. The score of a hypothesis
    is the logarithm of its posterior, and its alternatives are the next likeliest labels.

    Args:
        features: what the encoder is given.
        encoder: any.
        tokenizer: whose labels are whole transcripts: phrases, or words where each has one word.
        pool: over the frames of an utterance: their mean, or mean and standard deviation (Snyder et
            al., "X-Vectors", ICASSP 2018).
        label_smoothing: share of probability spread over all labels in training.
        balanced: each label weighs in the loss as much as the others, however rare it is.
        alternatives: how many of the next likeliest labels a hypothesis has.
        **training: as in ``Recogniser``.
    """

    class_weights: Tensor

    def __init__(
        self,
        features: Features,
        encoder: Encoder,
        tokenizer: Tokenizer,
        pool: Literal["mean", "mean_and_deviation"] = "mean_and_deviation",
        label_smoothing: float = 0.0,
        balanced: bool = False,
        alternatives: int = 2,
        **training: Any,
    ) -> None:
        super().__init__(features, tokenizer, **training)
        self.loss_shares = {"cross_entropy": 1.0}
        # No utterance is blank.
        self.labels = [tokenizer.decode([index]) for index in range(1, tokenizer.size)]
        self.encoder = encoder
        self.with_deviation = pool == "mean_and_deviation"
        self.head = nn.Linear(encoder.dim * (2 if self.with_deviation else 1), len(self.labels))
        self.label_smoothing = label_smoothing
        self.balanced = balanced
        self.alternatives = alternatives
        self.register_buffer("class_weights", torch.ones(len(self.labels)))

    def setup(self, stage: str) -> None:
        """Look at the labels of the training corpus, and weigh them.

        Raises ``DataError`` unless there are two labels or more, and each transcript is one.
        """
        super().setup(stage)
        if stage != "fit":
            return
        data: SpeechDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        counts = Counter(data.transcripts("train"))
        if len(counts) < 2 or counts.keys() != set(self.labels):
            raise DataError(
                f"the training utterances are {_listed(counts)}, and the labels of the tokenizer "
                f"{', '.join(self.labels)}: this net learns to tell two labels or more apart, each "
                "of them a whole transcript (tokenizer=phrases)"
            )
        if self.balanced:
            frequencies = torch.tensor([counts[label] for label in self.labels]) / counts.total()
            self.class_weights.copy_(1 / (len(self.labels) * frequencies))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """(batch, samples), (batch,) -> log-probabilities (batch, labels)."""
        encoded, lengths = self.encoder(*self.extract_features(waveforms, lengths))
        mean, deviation = mean_and_deviation(encoded.float(), lengths)
        pooled = torch.cat([mean, deviation], 1) if self.with_deviation else mean
        return self.head(pooled).float().log_softmax(dim=1)

    def losses(self, batch: Batch) -> Losses:
        log_probs = self(batch.waveforms, batch.waveform_lengths)
        return {"cross_entropy": self._cross_entropy(log_probs, batch)}

    def decode(self, batch: Batch) -> list[Hypothesis]:
        return self._likeliest(self(batch.waveforms, batch.waveform_lengths))

    def loss_and_decode(self, batch: Batch) -> tuple[Losses, list[Hypothesis]]:
        log_probs = self(batch.waveforms, batch.waveform_lengths)
        losses = {"cross_entropy": self._cross_entropy(log_probs, batch)}
        return losses, self._likeliest(log_probs)

    def _cross_entropy(self, log_probs: Tensor, batch: Batch) -> Tensor:
        """The loss of each utterance (batch,); Inf of one that has no label."""
        targets = F.pad(batch.targets, (0, 1))[:, 0] - 1
        smoothing = self.label_smoothing if self.training else 0.0
        losses = F.cross_entropy(
            log_probs,
            targets.clamp(min=0),
            self.class_weights,
            reduction="none",
            label_smoothing=smoothing,
        )
        return losses.masked_fill(targets < 0, torch.inf)

    def _likeliest(self, log_probs: Tensor) -> list[Hypothesis]:
        count = min(1 + self.alternatives, len(self.labels))
        scores, indices = log_probs.topk(count, dim=1)
        return [
            best_of([Hypothesis(self.labels[index], score) for score, index in pairs])
            for pairs in (
                zip(*each, strict=True)
                for each in zip(scores.tolist(), indices.tolist(), strict=True)
            )
        ]


def mean_and_deviation(encoded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Pool (batch, frames, dim) over the frames of each utterance: twice (batch, dim)."""
    outside = padding_mask(lengths, encoded.shape[1])[:, :, None]
    count = lengths[:, None, None]
    mean = encoded.masked_fill(outside, 0.0).sum(1, keepdim=True) / count
    variance = (encoded - mean).masked_fill(outside, 0.0).square().sum(1, keepdim=True) / count
    return mean[:, 0], (variance + 1e-5).sqrt()[:, 0]


def _listed(counts: Counter[str]) -> str:
    named = [f"{label or 'nothing'} ({count})" for label, count in counts.most_common(SHOWN)]
    return " and ".join(named) + (" and others" if len(counts) > SHOWN else "")
