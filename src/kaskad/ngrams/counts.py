"""N-grams of a text, counted in arrays: ten million words are no more than some large sorts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

SPECIAL = ["<unk>", "<s>", "</s>"]  # the first ids
BEGIN = SPECIAL.index("<s>")


@dataclass(frozen=True)
class Counts:
    """All n-grams of one order. An n-gram is its place in the arrays, each ``(n_grams,)``.

    They are sorted by their last word, then by the word before it and so on. Words are ids: those
    of unigrams are their places.

    ``suffix`` and ``context`` are places in the order below: of the n-gram without its first word,
    and of it without its last. ``occurrences`` is how often it stands in the text, ``adjusted``
    what Kneser-Ney smoothing counts: the different words that stand before it. Occurrences count
    where no word can stand before it (it begins with <s>), and in the highest order.
    """

    first: np.ndarray
    suffix: np.ndarray
    context: np.ndarray
    occurrences: np.ndarray
    adjusted: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def number_words(sentences: pl.Series) -> tuple[list[str], np.ndarray]:
    """Return all words, the special ones first, then as they appear; and the text as their ids.

    Words stand between single blanks. Each sentence of the text begins with <s>, ends with </s>.
    """
    words = (pl.lit("<s> ") + pl.col("sentence") + " </s>").str.split(" ")
    text = pl.DataFrame({"sentence": sentences}).lazy().select(word=words).explode("word")
    numbers = (
        pl.concat([pl.LazyFrame({"word": SPECIAL}), text])
        .unique(maintain_order=True)
        .with_row_index("id")
        .collect()
    )
    ids = text.join(numbers.lazy(), on="word", how="left", maintain_order="left").select("id")
    return numbers["word"].to_list(), ids.collect()["id"].to_numpy().astype(np.int32)


def count(text: np.ndarray, vocabulary: int, order: int) -> list[Counts]:
    """Count the n-grams of orders 1 to ``order`` in a text of ids below ``vocabulary``."""
    found = list(_find(text, vocabulary, order))
    for lower, higher in pairwise(found):
        standing_before = np.bincount(higher.suffix, minlength=len(lower))
        lower.adjusted[:] = np.where(lower.first == BEGIN, lower.occurrences, standing_before)
    found[0].adjusted[BEGIN] = 0  # which is never predicted
    return found


def _find(text: np.ndarray, vocabulary: int, order: int) -> Iterator[Counts]:
    """The n-grams of each order, all adjusted counts being occurrences.

    An n-gram is found by the place of its suffix and by its first word, together one number: so
    each order needs one sort of as many numbers as the text has words.
    """
    nowhere = np.zeros(vocabulary, np.int32)
    occurrences = np.bincount(text, minlength=vocabulary)
    yield Counts(
        np.arange(vocabulary, dtype=np.int32), nowhere, nowhere, occurrences, occurrences.copy()
    )
    # Where the n-gram that ends at a word is in its order; and how many words precede the word.
    places = text
    preceding = _distance_from(text == BEGIN, order)
    for length in range(2, order + 1):
        ends = np.flatnonzero(preceding >= length - 1)
        keys = places[ends].astype(np.int64) * vocabulary + text[ends - (length - 1)]
        by_key = np.argsort(keys)
        keys = keys[by_key]
        is_new = np.append(True, keys[1:] != keys[:-1])
        del keys
        starts = np.flatnonzero(is_new)
        examples = ends[by_key[starts]]
        occurrences = np.diff(starts, append=len(ends))
        yield Counts(
            first=text[examples - (length - 1)],
            suffix=places[examples],
            context=places[examples - 1],
            occurrences=occurrences,
            adjusted=occurrences.copy(),
        )
        places = places.copy()
        places[ends[by_key]] = np.cumsum(is_new, dtype=np.int32) - 1


def _distance_from(is_begin: np.ndarray, most: int) -> np.ndarray:
    """How many words stand between each place and the beginning of its sentence, at most so many.

    For <s> itself 0, for the first word 1.
    """
    places = np.arange(len(is_begin), dtype=np.int32)
    beginnings = np.maximum.accumulate(np.where(is_begin, places, 0))
    return np.minimum(places - beginnings, most).astype(np.int8)
