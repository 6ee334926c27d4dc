"""Corpora of unequal size, gone through side by side: a batch of each in every training step."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypedDict, get_args

import numpy as np
import polars as pl
from torch.utils.data import Sampler

from kaskad.data.samplers.order import BatchOrder
from kaskad.runs import distributed

# Of an utterance, the passage and the row; where that came in this passage before, also how often.
Key = tuple[int, int] | tuple[int, int, int]
Interleave = Literal["longest", "shortest", "proportional"]
BISECTIONS = 10  # until the size of a batch is known to a thousandth


@dataclass(frozen=True)
class Mix:
    """How several corpora share an epoch, the first being the one that is recognised.

    Args:
        interleave: How many steps an epoch has. ``longest``: as many as the longest corpus has
            batches, while the others repeat; ``shortest``: as many as the shortest has, while the
            others go on in the next epoch; ``proportional``: as many as the longest has, while the
            others are spread over them in smaller batches.
        temperature: With ``proportional``, a corpus of n seconds comes in proportion to n to the
            power of 1 / temperature: each once in an epoch (1), or small ones the more often, up
            to all alike (infinity). After Arivazhagan et al., "Massively Multilingual Neural
            Machine Translation in the Wild" (2019), section 3.2.
        join_after: Epochs without the first corpus, before it joins the others.
        release_after: Epochs after which the first goes on alone (``None``: it never does).
        alternate: Whether a step has a batch of one corpus, each in turn; not one of every corpus.

    Raises:
        ValueError: If a value cannot be meant.
    """

    interleave: Interleave = "longest"
    temperature: float = 1.0
    join_after: int = 0
    release_after: int | None = None
    alternate: bool = False

    def __post_init__(self) -> None:
        if self.interleave not in get_args(Interleave):
            known = ", ".join(get_args(Interleave))
            raise ValueError(f"unknown interleave '{self.interleave}'; known: {known}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; it is above 0")
        if self.temperature != 1.0 and self.interleave != "proportional":
            raise ValueError(
                f"temperature={self.temperature} changes nothing with interleave="
                f"{self.interleave}: take interleave=proportional, or leave it at 1"
            )
        if self.join_after < 0:
            raise ValueError(f"join_after is {self.join_after} epochs; it is 0 or more")
        if self.release_after is not None and self.release_after < max(1, self.join_after):
            raise ValueError(
                f"release_after is {self.release_after} epochs; it is 1 or more, null, and no less "
                f"than join_after ({self.join_after})"
            )

    @property
    def is_by_time(self) -> bool:
        """Whether some epochs leave a corpus out."""
        return self.join_after > 0 or self.release_after is not None

    def epochs_of(self, index: int) -> tuple[float, float]:
        """The first epoch with the corpus ``index``, and the first without it again."""
        if index == 0:
            return self.join_after, math.inf
        return 0, math.inf if self.release_after is None else self.release_after


class MixOptions(TypedDict, total=False):
    """What makes a ``Mix``."""

    interleave: Interleave
    temperature: float
    join_after: int
    release_after: int | None
    alternate: bool


class StepBatchSampler(Sampler[list[Key]]):
    """What a corpus gives to each of the ``steps`` of an epoch: ``per_epoch`` of its batches, as
    the ``Key`` of each utterance. Unless told otherwise, an epoch is one passage.

    An epoch goes on in the corpus where the last one ended, and each passage through the corpus is
    planned anew by ``order``: none begins before the last has ended. Where there are fewer
    batches than steps, these are spread evenly, and the steps between them get an empty one.
    Where passages are all the same, every epoch begins anew.

    Where corpora take turns, this one has every ``turns``-th of the steps, and its batches go to
    those; the others, and all steps of epochs outside ``epochs`` (the first, and the first that is
    too late), get an empty one.

    Where a run has several processes, each gets a share of every batch, of n processes every n-th
    utterance: all shares together are that batch, and their lengths are alike. One may be empty.
    """

    def __init__(
        self,
        order: BatchOrder,
        steps: int | None = None,
        per_epoch: int | None = None,
        *,
        turn: int = 0,
        turns: int = 1,
        epochs: tuple[float, float] = (0, math.inf),
    ) -> None:
        self.order = order
        self.steps = len(order) if steps is None else steps
        self.per_epoch = self.steps // turns if per_epoch is None else per_epoch
        self.turn, self.turns = turn, turns
        self.epochs = epochs
        self.epoch = 0
        self.given = 0

    @property
    def sampler(self) -> Self:
        """Where Lightning looks for ``set_epoch``: not on a batch sampler, but on its sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning's call before each epoch."""
        self.epoch = epoch

    def begin_at(self, epoch: int, given: int) -> None:
        """Go on in an epoch of which so many steps were ``given`` before."""
        self.epoch, self.given = epoch, given

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Key]]:
        # Not before the first step is asked for: a loader with workers calls this twice.
        given, self.given = self.given, 0
        yield from self.plan(self.epoch, given)

    def plan(self, epoch: int, given: int = 0) -> Iterator[list[Key]]:
        """The share of this process in the steps of an epoch, but for the first ``given``."""
        share = slice(distributed.rank(), None, distributed.count())
        takes_part = self.epochs[0] <= epoch < self.epochs[1]
        first = epoch * self.per_epoch if self.order.varies else 0
        passage, batches, again = -1, list[np.ndarray](), list[np.ndarray]()
        rounds = self.steps // self.turns
        for step in range(given, self.steps):
            ours, turn = divmod(step, self.turns)
            begun, due = (n * self.per_epoch // rounds for n in (ours, ours + 1))
            if begun == due or turn != self.turn or not takes_part:
                yield []
                continue
            wanted, index = divmod(first + begun, len(self.order))
            if wanted != passage:
                passage, batches = wanted, self.order.plan(wanted)
                again = repeats(batches)
            keys = zip(batches[index][share].tolist(), again[index][share].tolist(), strict=True)
            yield [(passage, row, count) if count else (passage, row) for row, count in keys]


def repeats(batches: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each row of the batches, how often it came in them before."""
    rows = np.concatenate(batches)
    by_row = np.argsort(rows, kind="stable")
    ascending = rows[by_row]
    before = np.empty_like(rows)
    before[by_row] = np.arange(len(rows)) - np.searchsorted(ascending, ascending)
    return np.split(before, np.cumsum([len(batch) for batch in batches])[:-1])


def interleave(
    manifests: Mapping[str, pl.DataFrame],
    mix: Mix,
    sampler: Callable[..., BatchOrder],
    batch_seconds: float,
    max_utterances: int,
) -> dict[str, StepBatchSampler]:
    """Plan for corpora, by their ``manifests``, epochs of equally many steps, as ``mix`` has it."""

    def cut(name: str, share: float) -> BatchOrder:
        most = max(1, round(share * max_utterances))
        return sampler(manifests[name], share * batch_seconds, most)

    def smallest(name: str, count: int) -> BatchOrder:
        """Cut into no more than ``count`` batches, the smallest that there can be."""
        too_small, enough = 0.0, 1.0
        for _ in range(BISECTIONS):
            share = (too_small + enough) / 2
            if len(cut(name, share)) > count:
                too_small = share
            else:
                enough = share
        return cut(name, enough)

    orders = {
        name: sampler(manifest, batch_seconds, max_utterances)
        for name, manifest in manifests.items()
    }
    counts = [len(order) for order in orders.values()]
    rounds = min(counts) if mix.interleave == "shortest" else max(counts)
    per_epoch = dict.fromkeys(manifests, rounds)
    if mix.interleave == "proportional":
        seconds = {name: float(manifest["duration"].sum()) for name, manifest in manifests.items()}
        for name, own in seconds.items():
            passages = (max(seconds.values()) / own) ** (1.0 - 1.0 / mix.temperature)
            orders[name] = smallest(name, max(1, round(rounds / passages)))
            per_epoch[name] = min(rounds, round(len(orders[name]) * passages))
    turns = len(manifests) if mix.alternate else 1
    return {
        name: StepBatchSampler(
            order,
            rounds * turns,
            per_epoch[name],
            turn=index % turns,
            turns=turns,
            epochs=mix.epochs_of(index),
        )
        for index, (name, order) in enumerate(orders.items())
    }
