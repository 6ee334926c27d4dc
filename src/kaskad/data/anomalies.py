"""Rows of a corpus that a person should look at: they may be right, and often are not.

Each kind looks at the table of all utterances, with the columns of a manifest, ``corpus`` and what
was measured, and says of some of them why.
"""

import unicodedata
from pathlib import Path

import polars as pl

from kaskad.data.near_duplicates import find_copies
from kaskad.text.normalisation import NOTES, notes

FOUND = {"kind": pl.String, "corpus": pl.String, "id": pl.String, "why": pl.String}
SPREADS = 4.5  # how many from the median a rate must be
LEAST_SPREAD = 0.1  # of the logarithm: where all speak alike, a tenth more is nothing yet
CLIPPED = 0.001  # of the samples at full scale
SILENT = -60.0  # dB of full scale
RARE = 20_000  # letters among which one may be a stranger: natural ones are at least 1 in 5,000
SIMILARITY = 0.92  # as in conf/overlap/default.yaml
BETWEEN_LETTERS = " '-"


def suspicions(utterances: pl.DataFrame, cache: Path | None = None) -> pl.DataFrame:
    """Return what is ``FOUND``, each kind in its turn, the worst of a kind first.

    ``utterances`` has corpus, id, path, text, its transcript as ``written``, language, duration
    (s), and the columns of ``levels`` and ``fingerprints``; each recording stands there once.
    """
    kinds = (
        _rates(utterances, fast=True),
        _rates(utterances, fast=False),
        _clipped(utterances),
        _silent(utterances),
        *_noted(utterances),
        _foreign(utterances),
        _same(utterances),
        _nearly_the_same(utterances, cache),
    )
    return pl.concat([pl.DataFrame(schema=FOUND), *(rows.select(*FOUND) for rows in kinds)])


def _rates(utterances: pl.DataFrame, *, fast: bool) -> pl.DataFrame:
    """Characters a second, far from the median by the median distance from it (robust z-scores:
    Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993), language by language."""
    characters, seconds = pl.col("text").str.len_chars(), pl.col("duration")
    logarithm = (characters / seconds).log()
    usual = logarithm.median().over("language")
    spread = 1.4826 * (logarithm - usual).abs().median().over("language")
    distance = (logarithm - usual) / pl.max_horizontal(spread, LEAST_SPREAD)
    why = pl.format(
        "{} characters in {} s, usual are {} a second",
        characters,
        seconds.round(2),
        usual.exp().round(1),
    )
    return (
        utterances.with_columns(distance=distance if fast else -distance, why=why)
        .filter(pl.col("distance") > SPREADS)
        .sort("distance", descending=True)
        .with_columns(kind=pl.lit("too fast" if fast else "too slow"))
    )


def _clipped(utterances: pl.DataFrame) -> pl.DataFrame:
    found = utterances.filter(pl.col("clipped") >= CLIPPED).sort("clipped", descending=True)
    share = (100 * pl.col("clipped")).round(1)
    why = pl.format("{} % of the samples are at full scale", share)
    return found.with_columns(kind=pl.lit("clipped"), why=why)


def _silent(utterances: pl.DataFrame) -> pl.DataFrame:
    found = utterances.filter(pl.col("level") <= SILENT).sort("level")
    why = pl.format("{} dB of full scale", pl.col("level").round(0).cast(pl.Int64))
    return found.with_columns(kind=pl.lit("silent"), why=why)


def _noted(utterances: pl.DataFrame) -> list[pl.DataFrame]:
    """What normalisation changed in transcripts beside capitals and punctuation, or left."""
    found = notes(utterances.select("language", text="written"))
    rows = utterances.with_row_index("row").join(found, on="row", how="inner", suffix="_found")
    why = pl.format("'{}' is read as '{}'", "written_found", "text")
    rows = rows.with_columns(kind="note", why=why)
    return [rows.filter(note=kind) for kind in NOTES]


def alphabet(utterances: pl.DataFrame) -> pl.DataFrame:
    """``language``, ``character``, its ``count`` and the ``utterances`` that have it, the most
    frequent first; ``foreign`` are those of another script than most letters of the language, and
    those too rare to belong to it."""
    split = utterances.select("language", character=pl.col("text").str.split("")).with_row_index()
    found = split.explode("character").filter(pl.col("character") != "")
    counts = found.group_by("language", "character").agg(
        count=pl.len(), utterances=pl.col("index").n_unique()
    )
    counts = counts.with_columns(
        script=pl.Series(map(_script, counts["character"]), dtype=pl.String)
    )
    letters = counts.filter(~pl.col("character").is_in(list(BETWEEN_LETTERS)))
    scripts = letters.group_by("language", "script").agg(pl.col("count").sum()).sort("count")
    usual = scripts.group_by("language").agg(usual=pl.col("script").last())
    rare = pl.col("count") * RARE < pl.col("count").sum().over("language")
    foreign = letters.join(usual, on="language").filter(
        rare | (pl.col("script") != pl.col("usual"))
    )
    foreign = foreign.select("language", "character", foreign=True)
    return (
        counts.drop("script")
        .join(foreign, on=["language", "character"], how="left")
        .with_columns(pl.col("foreign").fill_null(False))
        .sort("language", "count", "character", descending=[False, True, False])
    )


def _script(character: str) -> str:
    """LATIN, CYRILLIC, DIGIT…: the first word of its name in Unicode."""
    return unicodedata.name(character, "UNNAMED").split()[0]


def _foreign(utterances: pl.DataFrame) -> pl.DataFrame:
    letters = alphabet(utterances).filter("foreign").sort("count")
    found = []
    for (language,), strangers in letters.group_by("language", maintain_order=True):
        theirs = utterances.filter(pl.col("language") == language)
        for character in strangers["character"]:
            having = theirs.filter(pl.col("text").str.contains(character, literal=True))
            why = pl.format("'{}' in: {}", pl.lit(character), "text")
            found.append(having.with_columns(kind=pl.lit("foreign letters"), why=why))
    rows = pl.concat([utterances.clear().with_columns(kind=pl.lit(""), why=pl.lit("")), *found])
    return rows.unique(["corpus", "id"], keep="first", maintain_order=True)


def _same(utterances: pl.DataFrame) -> pl.DataFrame:
    known = utterances.drop_nulls("recording")
    first, its_corpus = (pl.col(name).first().over("recording") for name in ("id", "corpus"))
    why = pl.format("as {}", _named(first, its_corpus))
    repeats = known.with_columns(kind=pl.lit("the same recording"), why=why)
    return repeats.filter(~pl.col("recording").is_first_distinct())


def _nearly_the_same(utterances: pl.DataFrame, cache: Path | None) -> pl.DataFrame:
    """Each utterance once, with the one before it that it is most like."""
    known = utterances.drop_nulls("recording")
    known = known.unique("recording", keep="first", maintain_order=True)
    pairs = find_copies(known, known, SIMILARITY, cache).sort("similarity", descending=True)
    known = known.with_row_index("row")
    originals = known.select(
        near_duplicate="recording", original="id", its_corpus="corpus", earlier="row"
    )
    found = pairs.join(known, on="recording", maintain_order="left").join(
        originals, on="near_duplicate", maintain_order="left"
    )
    found = found.filter(pl.col("earlier") < pl.col("row"))
    found = found.unique("row", keep="first", maintain_order=True)
    original = _named(pl.col("original"), pl.col("its_corpus"))
    why = pl.format("as {}, similarity {}", original, pl.col("similarity").round(2))
    return found.with_columns(kind=pl.lit("nearly the same recording"), why=why)


def _named(id_: pl.Expr, corpus: pl.Expr) -> pl.Expr:
    """An utterance by its id and, where it is of another corpus than the row, by that."""
    return (
        pl.when(corpus == pl.col("corpus")).then(id_).otherwise(pl.format("{} of {}", id_, corpus))
    )
