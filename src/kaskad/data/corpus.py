"""A corpus in a run: where its manifest comes from, and what part it plays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

Role = Literal["train", "train_ext", "validation", "test"]


@dataclass(frozen=True)
class Corpus:
    """``manifest(split=…)`` makes the table; ``split`` is named like the role unless given.
    ``language`` as in ISO 639-1 (ru, en).

    Roles: ``train`` is what the recogniser is for, ``train_ext`` another language that trains
    beside it, ``validation`` chooses the checkpoint, ``test`` is reported.
    """

    role: Role
    language: str
    manifest: Callable[..., pl.DataFrame]
    split: str | None = None

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise ValueError(f"unknown role '{self.role}'; known: {', '.join(get_args(Role))}")

    def load(self) -> pl.DataFrame:
        """Make the manifest of this corpus."""
        return self.manifest(split=self.split or self.role)
