"""A recogniser that learns several languages side by side, to know one of them better."""

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from kaskad.audio.features import Features
from kaskad.data.batch import Batch
from kaskad.models.ctc import CTCRecogniser, Decoder
from kaskad.models.encoders.cascade_lstm import CascadeLSTM
from kaskad.text.tokenizer import BLANK, Tokenizer

# The score of a label that a language does not have: its probability is 0, its gradient finite.
IMPOSSIBLE = -1e4


class CascadeRecogniser(CTCRecogniser):
    """Features, a cascade, a head over the labels of all its languages together; CTC.

    A batch goes through the branch that it names, and without one through the first, that of the
    language which is recognised. The ``head`` is ``shared`` by all branches, or there is one
    ``per_language``, which knows the labels of its own training text alone.
    """

    encoder: CascadeLSTM
    learns_from = ("train", "train_ext")

    def __init__(
        self,
        features: Features,
        encoder: CascadeLSTM,
        tokenizer: Tokenizer,
        decoder: Callable[..., Decoder],
        head: Literal["shared", "per_language"] = "shared",
        **training: Any,
    ) -> None:
        super().__init__(features, encoder, tokenizer, decoder, **training)
        if head == "per_language":
            self.head = nn.ModuleDict(
                {branch: LanguageHead(encoder.dim, tokenizer.size) for branch in encoder.branches}
            )

    def on_fit_start(self) -> None:
        """Tell each head per language which labels its language has."""
        if isinstance(self.head, nn.ModuleDict):
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            known: dict[str, set[int]] = {branch: {BLANK} for branch in self.encoder.branches}
            for name in data.loaded(*self.learns_from):
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
            head = head[branch or self.encoder.branches[0]]
        return head(encoded).float().log_softmax(dim=2), lengths

    def posteriors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self(batch.waveforms, batch.waveform_lengths, batch.branch)


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
