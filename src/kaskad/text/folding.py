"""One character for what is written with several that look or mean the same."""

import re
import unicodedata
from collections.abc import Sequence

import polars as pl

# Soft hyphens, joiners and spaces of no width, marks of direction: what nobody sees.
_UNSEEN = r"[\u00AD\u200B-\u200F\u061C\u202A-\u202E\u2060\u2066-\u2069\uFEFF]"
_HYPHENS = r"[\u2010\u2011\u2212\uFE63\uFF0D]"
_APOSTROPHES = r"[’ʼ`‘‛´ʹ′＇ʻʽ]"
DOTLESS = ("tr", "az")  # languages in which I is the capital of ı, and İ of i
_STRESSED = re.compile("([аеиоуыэюяіє]\u0308?)[\u0300\u0301]", re.IGNORECASE)


def fold(text: pl.Expr, language: pl.Expr) -> pl.Expr:
    """Return ``text`` in lower case and NFC, with one kind each of hyphens and apostrophes.

    ``language`` as in ISO 639-1, or null: the capitals of Turkish and Azerbaijani are their own.
    """
    plain = text.str.normalize("NFC").str.replace_all(_UNSEEN, "")
    plain = plain.str.replace_all(_HYPHENS, "-").str.replace_all(_APOSTROPHES, "'")
    dotless = pl.when(language.is_in(DOTLESS)).then(plain.str.replace_all("I", "ı"))
    # In lower case İ would be an i and a dot above it.
    lower = dotless.otherwise(plain).str.replace_all("İ", "i").str.to_lowercase()
    return lower.str.replace_all("i\u0307", "i")


def without_stress_marks(texts: Sequence[str]) -> list[str]:
    """Return texts without the accents that some dictionaries put on Cyrillic vowels (за́мок)."""
    return [_without_stress_marks(text) for text in texts]


def without_stress(texts: Sequence[str]) -> list[str]:
    """Return ``texts`` with every ё written as е, and without stress marks on Cyrillic vowels."""
    return [text.replace("ё", "е").replace("Ё", "Е") for text in without_stress_marks(texts)]


def _without_stress_marks(text: str) -> str:
    if text.isascii():
        return text
    bare = _STRESSED.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare)
