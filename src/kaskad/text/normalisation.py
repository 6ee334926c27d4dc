"""Transcripts as they are compared: one spelling for what sounds the same."""

import polars as pl

from kaskad.text.folding import fold
from kaskad.text.spelling_out import SPOKEN, spell_out_all
from kaskad.text.tags import tags_in, without_tags

NOTES = {
    "tags": "tags left out, such as [noise]",
    "spelt out": "numbers in digits, put into words",
    "digits or signs": "digits, or signs such as %, that could be spoken in several ways",
}
"""What normalisation may have changed beside capitals and punctuation, and what it left."""


def normalise(text: pl.Expr, language: pl.Expr | None = None) -> pl.Expr:
    """Return ``text`` in lower case and NFC, without punctuation and tags, with single blanks.

    Apostrophes and hyphens inside words stay (п'ять, по-русски), as do accents and ё. Tags that
    stand for noises or punctuation are left out: see ``kaskad.text.tags``.
    """
    folded = fold(without_tags(text), pl.lit(None, pl.String) if language is None else language)
    return (
        folded.str.replace_all(r"[^\p{L}\p{M}\p{N}'\- ]", " ")
        .str.replace_all(r"\B['\-]|['\-]\B", " ")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )


def normalise_transcripts(manifest: pl.DataFrame, language: str | None = None) -> pl.Series:
    """Return the column ``text`` of a manifest normalised, its numbers in words where only one way
    is possible; in the language of its column ``language``, else in ``language``."""
    languages = _languages(manifest, language)
    spelt = spell_out_all(manifest.select(without_tags(pl.col("text"))).to_series(), languages)
    table = pl.DataFrame({"text": spelt, "language": languages})
    return table.select(text=normalise(pl.col("text"), pl.col("language"))).to_series()


def notes(manifest: pl.DataFrame, language: str | None = None) -> pl.DataFrame:
    """Return a row for each transcript and each of ``NOTES`` that is true of it: ``row``, ``note``
    and ``written``, the transcript as it came."""
    bare = manifest.select(without_tags(pl.col("text"))).to_series()
    spelt = spell_out_all(bare, _languages(manifest, language))
    changes = pl.DataFrame({"written": manifest["text"], "bare": bare, "spelt": spelt})
    changes = changes.with_row_index("row")
    kinds = {
        "tags": tags_in(pl.col("written")).list.len() > 0,
        "spelt out": pl.col("bare") != pl.col("spelt"),
        "digits or signs": pl.col("spelt").str.contains(SPOKEN),
    }
    return pl.concat(
        changes.filter(is_so).select("row", pl.lit(kind).alias("note"), "written")
        for kind, is_so in kinds.items()
    )


def _languages(manifest: pl.DataFrame, language: str | None) -> pl.Series:
    """The language of each row, null where nobody says it."""
    if "language" not in manifest.columns:
        return pl.Series([language], dtype=pl.String).new_from_index(0, manifest.height)
    own = manifest["language"].cast(pl.String)
    return own if language is None else own.fill_null(language)
