"""Transcripts as they are compared: one spelling for what sounds the same."""

import re
import unicodedata
from collections.abc import Sequence

import polars as pl

STRESSED = re.compile("([аеиоуыэюяіє]\u0308?)[\u0300\u0301]", re.IGNORECASE)


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


def without_stress(texts: Sequence[str]) -> list[str]:
    """Return ``texts`` with every ё written as е, and without stress marks on Cyrillic vowels."""
    return [_without_stress(text) for text in texts]


def _without_stress(text: str) -> str:
    if text.isascii():
        return text
    bare = STRESSED.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).replace("ё", "е").replace("Ё", "Е")
