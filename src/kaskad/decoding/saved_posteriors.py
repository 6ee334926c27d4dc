"""Posteriors of a corpus, computed once and decoded many times."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

TOGETHER = 64  # utterances that are decoded at a time


@dataclass(frozen=True)
class Posteriors:
    """What a net made of a corpus: ``log_probs`` (frames of all utterances, labels) float32,
    ``lengths`` (utterances,) in frames; ``origin`` names the checkpoint and the corpus."""

    log_probs: np.ndarray
    lengths: np.ndarray
    references: list[str]
    language: str
    origin: str

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path, origin: str) -> Self:
        """Read what ``save`` wrote; raises ``ValueError`` unless it is of this ``origin``."""
        try:
            with np.load(path, allow_pickle=False) as file:
                parts = {name: file[name] for name in file.files}
            found = str(parts["origin"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ValueError(f"{path}: cannot be read as posteriors: {error}") from error
        if found != origin:
            raise ValueError(
                f"{path}: these are the posteriors of {found}, not of {origin}; "
                "leave out posteriors=… to make them"
            )
        return cls(
            parts["log_probs"],
            parts["lengths"],
            parts["references"].tolist(),
            str(parts["language"]),
            found,
        )

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(batch, frames, labels), (batch,), in the order of the references."""
        utterances = torch.from_numpy(self.log_probs).split(self.lengths.tolist())
        for start in range(0, len(utterances), TOGETHER):
            part = utterances[start : start + TOGETHER]
            lengths = torch.tensor([len(utterance) for utterance in part])
            yield pad_sequence(list(part), batch_first=True), lengths
