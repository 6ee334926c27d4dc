"""A recogniser that learns several languages side by side, to know one of them better."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.data.batch import Batch
from kaskad.models.ctc import CTCRecogniser, Decoder
from kaskad.models.encoders.cascade import Cascade
from kaskad.runs import distributed
from kaskad.text.tokenizer import BLANK, Tokenizer

# The score of a label that a language does not have: its probability is 0, its gradient finite.
IMPOSSIBLE = -1e4


class CascadeRecogniser(CTCRecogniser):
    """Features, a cascade, a head over the labels of all its languages together; CTC.

    A batch goes through the branch that it names, and without one through the first, that of the
    language which is recognised.

    Args:
        features: The input of the cascade.
        encoder: The cascade.
        tokenizer: The labels of all languages.
        decoder: Partial: it is finished here.
        head: ``shared`` by all branches, or one ``per_language``, which knows the labels of its own
            training text alone; with ``both``, their scores are added.
        loss_weights: What the loss of a corpus counts for: ``equal``; ``by_hours``, in proportion
            to its training audio; ``uncertainty``, by learned weights (Kendall et al.,
            "Multi-Task Learning Using Uncertainty to Weigh Losses", 2018, section 3.2).
        updates: Whether a step learns by the ``mean`` or the ``sum`` of the losses of its corpora,
            or, ``alternating``, from one corpus in turn, which the data then sees to.
        training: What trains it, as ``Recogniser`` takes it.
    """

    encoder: Cascade
    learns_from = ("train", "train_ext")

    def __init__(
        self,
        features: Features,
        encoder: Cascade,
        tokenizer: Tokenizer,
        decoder: Callable[..., Decoder],
        head: Literal["shared", "per_language", "both"] = "shared",
        loss_weights: Literal["equal", "by_hours", "uncertainty"] = "equal",
        updates: Literal["mean", "sum", "alternating"] = "mean",
        **training: Any,
    ) -> None:
        super().__init__(features, encoder, tokenizer, decoder, **training)
        self.shared_head = self.head if head == "both" else None
        if head != "shared":
            self.head = nn.ModuleDict(
                {branch: LanguageHead(encoder.dim, tokenizer.size) for branch in encoder.branches}
            )
        self.updates = updates
        # By language, the logarithm of the variance of its loss.
        weighted = encoder.branches if loss_weights == "uncertainty" else []
        self.log_variances = nn.ParameterDict({name: torch.zeros(()) for name in weighted})
        # By corpus, relative to their mean; known once training begins.
        self.weights_are_hours = loss_weights == "by_hours"
        self.hours: dict[str, float] = {}

    def on_fit_start(self) -> None:
        """Look at the training data: hours, and which labels the text of each language has."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        names = data.loaded(*self.learns_from)
        if self.weights_are_hours:
            tables = data.training_tables()
            seconds = {name: float(table["duration"].sum()) for name, table in tables.items()}
            mean = sum(seconds.values()) / len(seconds)
            self.hours = {name: each / mean for name, each in seconds.items()}
        if isinstance(self.head, nn.ModuleDict):
            known: dict[str, set[int]] = {branch: {BLANK} for branch in self.encoder.branches}
            for name in names:
                labels = map(self.tokenizer.encode, data.manifests[name]["text"])
                known[data.corpora[name].branch].update(*labels)
            for branch, head in self.head.items():
                cast(LanguageHead, head).know(known[branch])

    def forward(
        self, waveforms: Tensor, lengths: Tensor, branch: str | None = None
    ) -> tuple[Tensor, Tensor]:
        """As ``CTCRecogniser``, through ``branch`` (``None``: the first)."""
        encoded, lengths = self.encoder(*self.extract_features(waveforms, lengths), branch)
        head = self.head
        if isinstance(head, nn.ModuleDict):
            head = head[self.encoder.branches[0] if branch is None else branch]
        scores = head(encoded).float()
        if self.shared_head is not None:
            scores = scores + self.shared_head(encoded).float()
        return scores.log_softmax(dim=2), lengths

    def posteriors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self(batch.waveforms, batch.waveform_lengths, batch.branch)

    def weighed(self, losses: Sequence[tuple[Batch, Tensor]]) -> Tensor:
        """The loss of a step: the weighted mean, or sum, of the losses of its corpora."""
        terms = [self._weighed(batch, loss) for batch, loss in losses]
        total = torch.stack(terms).sum()
        return total / len(terms) if self.updates == "mean" else total

    def _weighed(self, batch: Batch, loss: Tensor) -> Tensor:
        if not self.log_variances:
            return loss * self.hours.get(batch.corpus, 1.0)
        branch = self.encoder.branches[0] if batch.branch is None else batch.branch
        log_variance = self.log_variances[branch]
        weight = (-log_variance).exp()
        name, size = f"training/loss_weight/{branch}", len(batch)
        self.log(name, weight.detach(), on_step=False, on_epoch=True, batch_size=size)
        # Each process adds its share of what keeps weights from becoming 0.
        return weight * loss + 0.5 * log_variance / distributed.count()


class LanguageHead(nn.Linear):
    """A linear layer over the labels of all languages that gives those of its own a chance alone.

    It knows all labels until it is told which of them its language has: ``know``.
    """

    known: Tensor

    def __init__(self, dim: int, labels: int) -> None:
        super().__init__(dim, labels)
        self.register_buffer("known", torch.ones(labels, dtype=torch.bool))

    def know(self, labels: set[int]) -> None:
        """Take these labels for possible, and no others."""
        self.known.fill_(False)
        self.known[list(labels)] = True

    def forward(self, encoded: Tensor) -> Tensor:
        return super().forward(encoded).masked_fill(~self.known, IMPOSSIBLE)
