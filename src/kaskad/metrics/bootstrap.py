"""A figure as a share of what was counted, and how far it could have come out otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

RESAMPLES = 1000
_AT_ONCE = 1_000_000  # draws that are held in memory together


@dataclass(frozen=True)
class Share:
    """``counted`` of ``of``, each summed over utterances: errors of words, say.

    Both are (ratios, utterances): of several ratios, the share is the mean of those that are of
    anything at all.
    """

    counted: np.ndarray
    of: np.ndarray

    @property
    def value(self) -> float:
        return float(_shares(self.counted.sum(1), self.of.sum(1)))

    def by_group(self, groups: np.ndarray) -> "Share":
        """The same, summed over the utterances of each group: a number from 0 an utterance."""
        count = int(groups.max(initial=-1)) + 1
        sums = (
            np.stack([np.bincount(groups, row, count) for row in rows])
            for rows in (self.counted, self.of)
        )
        return Share(*sums)

    def part(self, rows: np.ndarray) -> "Share":
        """The same of some utterances alone: a mask, or their indices."""
        return Share(self.counted[:, rows], self.of[:, rows])


def share(counted: np.ndarray, of: np.ndarray | None = None) -> Share:
    """One ratio of (utterances,); without ``of``, of all utterances."""
    return Share(counted[None], (np.ones_like(counted) if of is None else of)[None])


def speaker_groups(speakers: pl.Series) -> np.ndarray | None:
    """The number of each utterance's speaker, from 0; ``None`` unless there are two at least.

    An utterance whose speaker is unknown is a group of its own.
    """
    if speakers.n_unique() < 2:
        return None
    alone = "\0" + pl.Series(range(len(speakers))).cast(pl.String)
    named = speakers.cast(pl.String).fill_null(alone)
    return named.rank("dense").to_numpy().astype(np.int64) - 1


def mean_of_groups(ratio: Share, groups: np.ndarray) -> Share:
    """The mean of each group's share: a group of many utterances weighs as much as one of few."""
    parts = ratio.by_group(groups)
    counted, of = parts.counted.sum(0), parts.of.sum(0)
    return share(counted[of > 0] / of[of > 0])


def intervals(
    shares: Mapping[str, Share], groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each share: utterances drawn again, with replacement, 1000 times.

    With ``groups``, the speaker of each utterance (``speaker_groups``), speakers are drawn with all
    their utterances: these are alike, and drawn one by one they would give too narrow an interval.

    All shares are of the same utterances, and are drawn together. Source: Bisani and Ney,
    "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004).
    """
    return {
        name: (float(low), float(high))
        for name, values in resampled(shares, groups, seed).items()
        for low, high in [np.percentile(values, (2.5, 97.5))]
    }


def resampled(
    shares: Mapping[str, Share], groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Each share as it comes out in every resample (1000,), drawn as ``intervals`` does."""
    if not shares:
        return {}
    if groups is not None:
        shares = {name: each.by_group(groups) for name, each in shares.items()}
    rows = [rows for each in shares.values() for rows in (each.counted, each.of)]
    sums = np.split(_sums(np.concatenate(rows), seed), np.cumsum([len(r) for r in rows])[:-1], 1)
    pairs = zip(sums[::2], sums[1::2], strict=True)
    return {name: _shares(*pair) for name, pair in zip(shares, pairs, strict=True)}


def _sums(rows: np.ndarray, seed: int) -> np.ndarray:
    """Sums of (rows, utterances) over utterances that are drawn: (resamples, rows)."""
    draw = np.random.default_rng(seed).integers
    utterances = rows.shape[1]
    at_once = max(1, _AT_ONCE // utterances)
    sums = []
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        drawn = draw(utterances, size=(size, utterances)) + utterances * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * utterances).reshape(size, utterances)
        sums.append(times.astype(float) @ rows.T.astype(float))
    return np.concatenate(sums)


def _shares(counted: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(…, ratios) -> (…): what is counted where there is nothing to count it of stays as it is."""
    ratios = counted / np.maximum(of, 1)
    known = of > 0
    means = (ratios * known).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known.any(-1), means, ratios.sum(-1))
