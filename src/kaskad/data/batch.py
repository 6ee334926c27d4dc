"""What flows from the data to a recogniser: utterances, collated into batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kaskad.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Utterance:
    """One recording, read: ``waveform`` (samples,) float32 in [-1, 1]; of a corpus that comes as
    features, (frames, bins)."""

    id: str
    text: str
    waveform: np.ndarray


@dataclass(frozen=True)
class Skipped:
    """An utterance that could not be used, and why."""

    corpus: str
    id: str
    reason: str


# Skipped utterances as a table.
SKIPPED_SCHEMA = {"corpus": pl.String, "id": pl.String, "reason": pl.String}


@dataclass
class Batch:
    """``waveforms`` (batch, samples) float32 in [-1, 1], zeros after the end of each utterance;
    ``waveform_lengths`` (batch,) in samples; ``targets`` (batch, labels), ``target_lengths``
    (batch,); what was to be here and could not be read is named in ``skipped``. ``corpus`` and
    ``branch`` as in ``Corpus``; no branch stands for that of the language which is recognised.
    Of a corpus that comes as features, a sample is a frame: ``waveforms`` (batch, frames, bins)."""

    waveforms: Tensor
    waveform_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: list[str]
    texts: list[str]
    language: str
    skipped: list[Skipped] = field(default_factory=list)
    corpus: str = ""
    branch: str | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``; Lightning calls this."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Return the batch in page-locked memory, from which a GPU copies faster."""
        return self._with(Tensor.pin_memory)

    def finite_audio(self) -> Tensor:
        """Whether all samples of an utterance are finite (batch,): so then is their sum."""
        return self.waveforms.flatten(1).sum(dim=1).isfinite()

    def silenced(self, utterances: Tensor) -> Self:
        """The batch with zeros for the samples of these, (batch,) of truth values."""
        waveforms = self.waveforms.clone()
        waveforms[utterances] = 0.0
        return replace(self, waveforms=waveforms)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            waveforms=change(self.waveforms),
            waveform_lengths=change(self.waveform_lengths),
            targets=change(self.targets),
            target_lengths=change(self.target_lengths),
        )


def batches_of(step: Batch | Sequence[Batch]) -> Sequence[Batch]:
    """The batches of a training step: one, or one for each corpus that trains; none of text."""
    return [step] if isinstance(step, Batch) else [part for part in step if isinstance(part, Batch)]


class Collate:
    """Pads utterances into a ``Batch``; those that could not be read are only named in it."""

    def __init__(self, tokenizer: Tokenizer, language: str, corpus: str, branch: str) -> None:
        self.tokenizer = tokenizer
        self.language = language
        self.corpus = corpus
        self.branch = branch

    def __call__(self, items: Sequence[Utterance | Skipped]) -> Batch:
        read = [item for item in items if isinstance(item, Utterance)]
        waveforms = [torch.from_numpy(item.waveform) for item in read]
        targets = [torch.tensor(self.tokenizer.encode(item.text)) for item in read]
        return Batch(
            waveforms=_pad(waveforms, torch.float32),
            waveform_lengths=_lengths(waveforms),
            targets=_pad(targets, torch.long),
            target_lengths=_lengths(targets),
            ids=[item.id for item in read],
            texts=[item.text for item in read],
            language=self.language,
            skipped=[item for item in items if isinstance(item, Skipped)],
            corpus=self.corpus,
            branch=self.branch,
        )


def _lengths(sequences: list[Tensor]) -> Tensor:
    return torch.tensor([len(sequence) for sequence in sequences], dtype=torch.long)


def _pad(sequences: list[Tensor], dtype: torch.dtype) -> Tensor:
    if not sequences:
        return torch.empty(0, 0, dtype=dtype)
    return pad_sequence(sequences, batch_first=True).to(dtype)


def untranscribed(waveforms: Sequence[np.ndarray]) -> Batch:
    """A batch of (samples,) float32 waveforms, or (frames, bins), whose words nobody knows yet."""
    count = len(waveforms)
    return Batch(
        waveforms=pad_sequence([torch.from_numpy(each) for each in waveforms], batch_first=True),
        waveform_lengths=torch.tensor([len(each) for each in waveforms]),
        targets=torch.zeros((count, 0), dtype=torch.long),
        target_lengths=torch.zeros(count, dtype=torch.long),
        ids=[str(number) for number in range(count)],
        texts=[""] * count,
        language="",
    )
