"""A recogniser of who speaks rather than of what is said: one label an utterance."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.audio.masks import padding_mask
from kaskad.data.batch import Batch
from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.metrics.classification import Confusions, confuse
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.recogniser import Recogniser
from kaskad.text.tokenizer import Tokenizer


class GenderRecogniser(Recogniser):
    """Features, an encoder, mean and standard deviation over time, a linear head; cross-entropy.

    The genders are the labels of ``tokenizer``, which are words. Each weighs in the loss as much
    as the others, however rare it is in training.

    Source of the pooling: Snyder et al., "X-Vectors" (ICASSP 2018).
    """

    target = "gender"
    class_weights: Tensor

    def __init__(
        self, features: Features, encoder: Encoder, tokenizer: Tokenizer, **training: Any
    ) -> None:
        super().__init__(features, tokenizer, **training)
        # No utterance is blank.
        self.labels = [tokenizer.decode([index]) for index in range(1, tokenizer.size)]
        self.encoder = encoder
        self.head = nn.Linear(2 * encoder.dim, len(self.labels))
        self.register_buffer("class_weights", torch.ones(len(self.labels)))

    def setup(self, stage: str) -> None:
        """Weigh each label by the inverse of its frequency in training.

        Raises ``DataError`` if there are not two of them, each with a label of the tokenizer.
        """
        super().setup(stage)
        if stage != "fit":
            return
        data: SpeechDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        counts = Counter(data.transcripts("train"))
        if len(counts) < 2 or counts.keys() != set(self.labels):
            raise DataError(
                f"the training utterances are {_listed(counts)}, and the labels of the tokenizer "
                f"{', '.join(self.labels)}: a net learns to tell apart two genders or more, with "
                "a label for each (tokenizer=words)"
            )
        frequencies = torch.tensor([counts[label] for label in self.labels]) / counts.total()
        self.class_weights.copy_(1 / (len(self.labels) * frequencies))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """(batch, samples), (batch,) -> log-probabilities (batch, labels)."""
        encoded, lengths = self.encoder(*self.see(waveforms, lengths))
        return self.head(mean_and_deviation(encoded.float(), lengths)).float().log_softmax(dim=1)

    def losses(self, batch: Batch) -> Tensor:
        return self._cross_entropy(self(batch.waveforms, batch.waveform_lengths), batch)

    def hypotheses(self, waveforms: Tensor, lengths: Tensor) -> list[Hypothesis]:
        return self._likeliest(self(waveforms, lengths))

    def judge(self, batch: Batch) -> tuple[Tensor, list[Hypothesis]]:
        log_probs = self(batch.waveforms, batch.waveform_lengths)
        return self._cross_entropy(log_probs, batch), self._likeliest(log_probs)

    def score(
        self, references: Sequence[str], hypotheses: Sequence[str], language: str
    ) -> Confusions:
        return confuse(references, hypotheses)

    def _cross_entropy(self, log_probs: Tensor, batch: Batch) -> Tensor:
        targets = batch.targets[:, 0] - 1
        return F.nll_loss(log_probs, targets, self.class_weights, reduction="none")

    def _likeliest(self, log_probs: Tensor) -> list[Hypothesis]:
        best = zip(*(values.tolist() for values in log_probs.max(dim=1)), strict=True)
        return [Hypothesis(self.labels[index], score) for score, index in best]


def mean_and_deviation(encoded: Tensor, lengths: Tensor) -> Tensor:
    """Pool (batch, frames, dim) over the frames of each utterance: (batch, 2 * dim)."""
    outside = padding_mask(lengths, encoded.shape[1])[:, :, None]
    count = lengths[:, None, None]
    mean = encoded.masked_fill(outside, 0.0).sum(1, keepdim=True) / count
    variance = (encoded - mean).masked_fill(outside, 0.0).square().sum(1, keepdim=True) / count
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=2).squeeze(1)


def _listed(counts: Counter[str]) -> str:
    return " and ".join(f"{label or 'nothing'} ({count})" for label, count in counts.items())
