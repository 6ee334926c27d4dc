"""Transcripts as they are compared: one spelling for what sounds the same."""

import polars as pl


def normalise(text: pl.Expr) -> pl.Expr:
    """Return ``text`` in lower case and NFC, without punctuation, with single blanks.

    Apostrophes and hyphens inside words stay (п'ять, по-русски), as do accents and ё.
    """
    return (
        text.str.normalize("NFC")
        .str.to_lowercase()
        .str.replace_all("[’ʼ`]", "'")
        .str.replace_all(r"[^\p{L}\p{M}\p{N}'\- ]", " ")
        .str.replace_all(r"\B['\-]|['\-]\B", " ")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )
