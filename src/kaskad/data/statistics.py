"""What a corpus holds, in figures: lengths, speakers, extremes."""

import numpy as np
import polars as pl

EXTREMES = 10  # of the longest and of the shortest utterances
BARS = 15  # of the histogram of lengths, at most
STEPS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)  # s, of which a bar covers one


def corpora(usable: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """A row a corpus: utterances, hours, speakers, hours of women and of men, what is unusable."""
    hours = pl.col("duration").sum() / 3600
    counts = usable.group_by("corpus", maintain_order=True).agg(
        pl.col("language").first(),
        utterances=pl.len(),
        hours=hours.round(3),
        speakers=pl.col("speaker").drop_nulls().n_unique(),
        **{
            gender: (pl.col("duration").filter(pl.col("gender") == gender).sum() / 3600).round(3)
            for gender in ("female", "male")
        },
        words=pl.col("text").str.split(" ").explode().n_unique(),
    )
    unusable = rest.group_by("corpus").agg(unusable=pl.len())
    counts = counts.join(unusable, on="corpus", how="left", maintain_order="left")
    return counts.with_columns(pl.col("unusable").fill_null(0))


def speakers(usable: pl.DataFrame) -> pl.DataFrame:
    """A row a speaker, those who speak longest first."""
    spoken = usable.drop_nulls("speaker").group_by("speaker", maintain_order=True)
    return spoken.agg(
        pl.col("gender").drop_nulls().first(),
        corpora=pl.col("corpus").unique(maintain_order=True).str.join(", "),
        utterances=pl.len(),
        minutes=(pl.col("duration").sum() / 60).round(2),
    ).sort("minutes", descending=True, maintain_order=True)


def histogram(seconds: np.ndarray) -> pl.DataFrame:
    """How many ``utterances`` last from ``above`` to ``up_to`` seconds, in bars of equal width."""
    longest = float(seconds.max())
    step = next((step for step in STEPS if longest <= BARS * step), longest / BARS)
    edges = step * np.arange(1, max(1, int(np.ceil(longest / step - 1e-9))) + 1)
    bars = np.minimum(np.searchsorted(edges, seconds), len(edges) - 1)
    return pl.DataFrame(
        {
            "above": (edges - step).round(3),
            "up_to": edges.round(3),
            "utterances": np.bincount(bars, minlength=len(edges)),
        }
    )


def extremes(usable: pl.DataFrame, *, descending: bool) -> pl.DataFrame:
    """The longest or the shortest utterances."""
    order = usable.sort("duration", descending=descending, maintain_order=True).head(EXTREMES)
    return order.select("corpus", "id", pl.col("duration").round(2), "text")
