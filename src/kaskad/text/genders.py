"""Genders as they are compared: female or male, however a table spells them."""

import polars as pl

SPELLINGS = {
    "female": "female f woman w female_feminine ж жен женский жіноча",
    "male": "male m man male_masculine м муж мужской чоловіча",
}


def normalise_gender(gender: pl.Expr) -> pl.Expr:
    """Return ``female`` or ``male``; null for anything else."""
    known = {word: name for name, words in SPELLINGS.items() for word in words.split()}
    written = gender.cast(pl.String).str.to_lowercase().str.strip_chars(" .")
    return written.replace_strict(known, default=None, return_dtype=pl.String)
