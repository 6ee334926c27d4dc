"""Interpolated modified Kneser-Ney smoothing, to the same model as KenLM's lmplz estimates.

Sources: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling"
(Harvard TR-10-98, 1998); Heafield et al., "Scalable Modified Kneser-Ney Language Model Estimation"
(ACL 2013), and KenLM's lm/builder for what the papers leave open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kaskad.ngrams.counts import BEGIN, SPECIAL, Counts

Discounts = tuple[float, float, float]
"""What is taken from an adjusted count of 1, of 2, of 3 or more."""

FALLBACK: Discounts = (0.5, 1.0, 1.5)  # as of lmplz --discount_fallback


@dataclass(frozen=True)
class Smoothed:
    """The n-grams of one order as a model has them; arrays are ``(n_grams,)``, as in ``Counts``.

    ``probability`` is that of the last word after the others; ``backoff`` weighs the order below
    where a word follows that never followed this n-gram. Those not ``kept`` are pruned.
    """

    probability: np.ndarray
    backoff: np.ndarray
    kept: np.ndarray


def keep(
    counts: Sequence[Counts], prune: Sequence[int], allowed: np.ndarray | None = None
) -> list[np.ndarray]:
    """Which n-grams of each order a model is to hold.

    Those that occur no more often than ``prune`` says for their order are left out, its last value
    being that of all higher orders, and those with a word that is not ``allowed``. <unk>, <s> and
    </s> stay.
    """
    kept: list[np.ndarray] = []
    for index, grams in enumerate(counts):
        which = grams.occurrences > prune[min(index, len(prune) - 1)]
        if allowed is not None:
            which &= allowed[grams.first]
        if kept:
            which &= kept[-1][grams.suffix]
        else:
            which[: len(SPECIAL)] = True
        kept.append(which)
    return kept


def counts_of_counts(counts: Sequence[Counts], length: int) -> np.ndarray:
    """How many n-grams of a length have the adjusted count 0, 1, 2, 3, 4, or more.

    lmplz counts the very last n-gram of its sort by its occurrences, in each order below the
    highest, and so do we: to be its equal to the last digit.
    """
    grams = counts[length - 1]
    found = np.bincount(np.minimum(grams.adjusted, 5), minlength=6)
    if length < len(counts):
        ends_as_shorter = all(
            longer.suffix[-1] == len(shorter) - 1 for shorter, longer in pairwise(counts[:length])
        )
        if ends_as_shorter:
            found[min(grams.adjusted[-1], 5)] -= 1
            found[min(grams.occurrences[-1], 5)] += 1
    return found


def discounts_of(counts_of_counts: np.ndarray) -> Discounts | None:
    """What is taken from the counts 1, 2 and 3 or more (Chen and Goodman, equation 26).

    ``None`` where that cannot be estimated: no n-gram has one of these counts, or a discount is
    none (negative, or more than the count).
    """
    n = [float(number) for number in counts_of_counts]
    if 0 in n[1:4]:
        return None
    y = n[1] / (n[1] + 2 * n[2])
    one, two, three = (c - (c + 1) * y * n[c + 1] / n[c] for c in (1, 2, 3))
    is_sound = 0 <= one <= 1 and 0 <= two <= 2 and 0 <= three <= 3
    return (one, two, three) if is_sound else None


def smooth(
    counts: Sequence[Counts], kept: Sequence[np.ndarray], discounts: Sequence[Discounts]
) -> list[Smoothed]:
    """Discount the counts of each order, and give what was taken to the order below it.

    Below unigrams, every word is equally probable: <unk> as well, but not <s>.
    """
    smoothed: list[Smoothed] = []
    lower = np.array([1 / (kept[0].sum() - 1)])
    for grams, which, amounts in zip(counts, kept, discounts, strict=True):
        discount = np.array([0.0, *amounts])[np.minimum(grams.adjusted, 3)]
        taken = np.where(which, discount, grams.adjusted)  # all that a pruned n-gram had
        total = np.bincount(grams.context, grams.adjusted, minlength=len(lower))
        share = np.bincount(grams.context, taken, minlength=len(lower))
        # What no word follows needs no weight.
        weight = np.divide(share, total, out=np.ones_like(total), where=total > 0)
        if smoothed:
            smoothed[-1].backoff[:] = weight
        own = (grams.adjusted - discount) / total[grams.context]
        probability = own + weight[grams.context] * lower[grams.suffix]
        if not smoothed:
            probability[BEGIN] = 1.0  # it is certain
        smoothed.append(Smoothed(probability, np.ones_like(probability), which))
        lower = probability
    return smoothed
