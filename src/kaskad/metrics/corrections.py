"""What corrections of hypotheses mend, and what they break."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from kaskad.metrics.bootstrap import Share, share
from kaskad.metrics.error_rates import WORD_ERRORS, count_errors
from kaskad.metrics.significance import paired_interval

# A sentence that was wrong is right now; the other way round; it has fewer errors, or more; it has
# been changed for as many; it is as it was recognised.
OUTCOMES = ("mended", "broken", "better", "worse", "changed", "untouched")


def score(
    references: Sequence[str], hypotheses: Sequence[str], corrected: Sequence[str]
) -> pl.DataFrame:
    """Compare each sentence with its reference, as it was recognised and as it was corrected.

    Columns: ``reference``, ``hypothesis``, ``corrected``, ``words`` (of the reference),
    ``errors_before`` and, after the correction, ``errors``, and ``outcome``, one of ``OUTCOMES``.
    """
    texts = {"reference": references, "hypothesis": hypotheses, "corrected": corrected}
    before, after = (
        count_errors(references, each, "words").select("words", errors=WORD_ERRORS)
        for each in (hypotheses, corrected)
    )
    fewer = pl.col("errors") < pl.col("errors_before")
    more = pl.col("errors") > pl.col("errors_before")
    outcome = (
        pl.when(pl.col("hypothesis") == pl.col("corrected"))
        .then(pl.lit("untouched"))
        .when(fewer & (pl.col("errors") == 0))
        .then(pl.lit("mended"))
        .when(more & (pl.col("errors_before") == 0))
        .then(pl.lit("broken"))
        .when(fewer)
        .then(pl.lit("better"))
        .when(more)
        .then(pl.lit("worse"))
        .otherwise(pl.lit("changed"))
    )
    return (
        pl.DataFrame(texts, dict.fromkeys(texts, pl.String))
        .hstack(before.rename({"errors": "errors_before"}))
        .hstack(after.select("errors"))
        .with_columns(outcome=outcome)
    )


def shares(scored: pl.DataFrame) -> dict[str, Share]:
    """The figures of sentences that ``score`` compared: ``wer``, ``wer_uncorrected``, ``mended``
    (of those that were wrong) and ``broken`` (of those that were right)."""
    words = scored["words"].to_numpy()
    wrong = scored["errors_before"].to_numpy() > 0
    outcome = scored["outcome"].to_numpy()
    return {
        "wer": share(scored["errors"].to_numpy(), words),
        "wer_uncorrected": share(scored["errors_before"].to_numpy(), words),
        "mended": share(outcome == "mended", wrong),
        "broken": share(outcome == "broken", ~wrong),
    }


def summary(scored: pl.DataFrame, speakers: np.ndarray | None = None) -> dict[str, Any]:
    """How many sentences have each outcome, and ``gain``: by how much the WER is lower, with its
    95 % interval, drawn by ``speakers`` where they are known."""
    found = shares(scored)
    counts = dict(scored["outcome"].value_counts().iter_rows())
    low, high = paired_interval(found["wer"], found["wer_uncorrected"], speakers)
    return {
        **{outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
        "gain": found["wer_uncorrected"].value - found["wer"].value,
        "gain_interval": [low, high],
    }
