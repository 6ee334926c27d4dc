"""A figure as a share of what was counted, and how far it could have come out otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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

    def part(self, rows: np.ndarray) -> "Share":
        """The same of some utterances alone: a mask, or their indices."""
        return Share(self.counted[:, rows], self.of[:, rows])


def share(counted: np.ndarray, of: np.ndarray | None = None) -> Share:
    """One ratio of (utterances,); without ``of``, of all utterances."""
    return Share(counted[None], (np.ones_like(counted) if of is None else of)[None])


def intervals(shares: Mapping[str, Share], seed: int = 0) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each share: utterances drawn again, with replacement, 1000 times.

    All shares are of the same utterances, and are drawn together. Source: Bisani and Ney,
    "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004).
    """
    return {
        name: (float(low), float(high))
        for name, values in resampled(shares, seed).items()
        for low, high in [np.percentile(values, (2.5, 97.5))]
    }


def resampled(shares: Mapping[str, Share], seed: int = 0) -> dict[str, np.ndarray]:
    """Each share as it comes out in every resample (1000,)."""
    if not shares:
        return {}
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
