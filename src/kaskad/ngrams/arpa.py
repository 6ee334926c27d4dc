"""Models written in the ARPA format, UTF-8, as KenLM and pyctcdecode read it."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from kaskad.ngrams.counts import Counts
from kaskad.ngrams.smoothing import Smoothed

ROWS = 500_000  # n-grams that are text at a time
DIGITS = 7  # after the point: more than KenLM keeps


def write_arpa(
    path: Path, words: Sequence[str], counts: Sequence[Counts], smoothed: Sequence[Smoothed]
) -> None:
    """Write the kept n-grams of each order with their decimal logarithms."""
    spelling = pl.Series(words, dtype=pl.String)
    places = [np.flatnonzero(grams.kept) for grams in smoothed]
    if len(places) == 1:
        places.append(np.array([], np.int64))  # KenLM opens no model without a part for bigrams
    with path.open("wb") as file:
        header = "".join(f"ngram {n}={len(kept)}\n" for n, kept in enumerate(places, start=1))
        file.write(f"\\data\\\n{header}".encode())
        for length, kept in enumerate(places, start=1):
            file.write(f"\n\\{length}-grams:\n".encode())
            for start in range(0, len(kept), ROWS):
                part = kept[start : start + ROWS]
                columns = {
                    "probability": np.log10(smoothed[length - 1].probability[part]),
                    "n_gram": _spell(part, spelling, counts[:length]),
                }
                if length < len(places):
                    columns["backoff"] = np.log10(smoothed[length - 1].backoff[part])
                _write_rows(pl.DataFrame(columns), file)
        file.write(b"\n\\end\\\n")


def _spell(places: np.ndarray, spelling: pl.Series, counts: Sequence[Counts]) -> pl.Series:
    """The words of n-grams of the highest order of ``counts``, between blanks."""
    columns: list[pl.Series] = []
    for grams in reversed(counts):
        columns.append(spelling.gather(grams.first[places]).alias(str(len(columns))))
        places = grams.suffix[places]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ")).to_series()


def _write_rows(table: pl.DataFrame, file: BinaryIO) -> None:
    table.write_csv(
        file, include_header=False, separator="\t", quote_style="never", float_precision=DIGITS
    )
