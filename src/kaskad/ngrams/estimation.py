"""A model of a text, estimated here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from kaskad.ngrams.arpa import write_arpa
from kaskad.ngrams.counts import SPECIAL, count, number_words
from kaskad.ngrams.smoothing import (
    FALLBACK,
    Discounts,
    counts_of_counts,
    discounts_of,
    keep,
    smooth,
)


@dataclass(frozen=True)
class Statistics:
    """N-grams and discounts of each order, and the orders whose discounts are ``FALLBACK``."""

    n_grams: list[int]
    discounts: list[Discounts]
    fallback: list[int]


def estimate(
    sentences: pl.Series,
    arpa: Path,
    *,
    order: int,
    prune: Sequence[int] = (0,),
    vocabulary: Collection[str] | None = None,
) -> Statistics:
    """Estimate a model of sentences, whose words stand between single blanks, and write it.

    For ``prune`` and ``vocabulary`` see ``keep``. Where a text has too few different counts to
    estimate the discounts of an order from, those of ``lmplz --discount_fallback`` are taken.
    """
    words, text = number_words(sentences)
    counts = count(text, len(words), order)
    allowed = None
    if vocabulary is not None:
        known = {*SPECIAL, *vocabulary}
        allowed = np.array([word in known for word in words])
    kept = keep(counts, prune, allowed)
    estimated = [discounts_of(counts_of_counts(counts, length)) for length in range(1, order + 1)]
    discounts = [found or FALLBACK for found in estimated]
    write_arpa(arpa, words, counts, smooth(counts, kept, discounts))
    fallback = [length for length, found in enumerate(estimated, start=1) if found is None]
    return Statistics([int(which.sum()) for which in kept], discounts, fallback)
