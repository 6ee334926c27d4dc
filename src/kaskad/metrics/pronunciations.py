"""How right pronunciations are, where a word may have several."""

from collections.abc import Sequence
from itertools import chain

import polars as pl

from kaskad.metrics.bootstrap import Share, share
from kaskad.metrics.error_rates import WORD_ERRORS, count_errors


def score(references: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Compare the ``candidates`` for each word, the best first, with its ``references``.

    Both are phones between blanks. Columns: ``hypothesis``, the best candidate; ``reference``, the
    pronunciation that it is nearest to; ``phones`` of that, ``errors``, ``right``, and
    ``among_candidates``: whether any candidate is right.
    """
    best = [each[0] if each else "" for each in candidates]
    rows = [row for row, known in enumerate(references) for _ in known]
    hypothesis = [best[row] for row in rows]
    known = list(chain.from_iterable(references))
    counted = count_errors(known, hypothesis, "words").select(errors=WORD_ERRORS, phones="words")
    nearest = (
        counted.with_columns(row=pl.Series(rows, dtype=pl.Int64), reference=pl.Series(known))
        .sort("row", "errors", maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
    among = [
        any(each in known for each in found)
        for known, found in zip(references, candidates, strict=True)
    ]
    return nearest.select(
        pl.Series("hypothesis", best, dtype=pl.String),
        "reference",
        "phones",
        "errors",
        right=pl.col("errors") == 0,
        among_candidates=pl.Series(among, dtype=pl.Boolean),
    )


def shares(scored: pl.DataFrame) -> dict[str, Share]:
    """The figures of words that were scored: ``per``, ``word_accuracy``, ``candidate_accuracy``."""
    return {
        "per": share(scored["errors"].to_numpy(), scored["phones"].to_numpy()),
        "word_accuracy": share(scored["right"].to_numpy()),
        "candidate_accuracy": share(scored["among_candidates"].to_numpy()),
    }
