"""Digits and signs in a transcript, in words, where only one wording is possible."""

import re

import polars as pl

from kaskad.text.numerals import number_to_words

LANGUAGES = ("ru", "en")
# Signs that are spoken.
SPOKEN = r"[\p{N}%№$€£₽&+=@#§°×<>±÷≈]"
_NUMBER = re.compile(r"(?<![\w.,:/+\-−'’′])(\d{1,6})(?:\s*(%))?(?![\w.,:/'’′-]*\d)(?!\w)(?!-)")
_ANY_SIGN = re.compile(r"[\d%№$€£₽&+=@#§°×<>±÷≈]")
# Before these, and before what is counted by a feminine noun, Russian numbers have other forms.
_OF_CASE = re.compile(
    "с|со|из|от|до|у|без|для|около|после|кроме|более|менее|больше|меньше|свыше|к|ко|по|о|об|при|в|"
    "на|между|над|под|перед|за|через"
)
_MASCULINE = re.compile("руб|процент|раз|час|метр|километр|градус|доллар|литр|грам")


def spell_out(text: str, language: str) -> str:
    """Return a text with its numbers in words, and as it is where these could be several.

    ``100%`` is "сто процентов" or "one hundred percent". Left alone are ordinals, decimals, times,
    digits that may be spoken one by one (more than four, or after a zero), English years,
    and Russian numbers that a preposition or a noun may put into another form.
    """
    if language not in LANGUAGES or not _ANY_SIGN.search(text):
        return text
    text = text.replace("№", " номер ") if language == "ru" else text
    spelt = _NUMBER.sub(lambda match: _words(match, text, language), text)
    return text if _ANY_SIGN.search(spelt) else " ".join(spelt.split())


def spell_out_all(texts: pl.Series, languages: pl.Series) -> pl.Series:
    """``spell_out`` of each text in the language beside it."""
    table = pl.DataFrame({"text": texts, "language": languages}, strict=False)
    written = table.filter(pl.col("text").str.contains(SPOKEN)).unique()
    if written.is_empty():
        return texts
    spelt = [spell_out(text, language or "") for text, language in written.iter_rows()]
    known = written.with_columns(spelt=pl.Series(spelt, dtype=pl.String))
    joined = table.join(known, on=["text", "language"], how="left", maintain_order="left")
    return joined.select(pl.coalesce("spelt", "text").alias(texts.name)).to_series()


def _words(match: re.Match[str], text: str, language: str) -> str:
    digits, percent = match.groups()
    number = int(digits)
    before, after = text[: match.start()].split(), text[match.end() :].split()
    is_year = language == "en" and 1_100 <= number <= 2_099
    if (len(digits) > 1 and digits[0] == "0") or (len(digits) > 4 and number % 1_000) or is_year:
        return match[0]
    if language == "ru" and not _is_plain_russian(number, percent, before, after):
        return match[0]
    return f"{number_to_words(number, language)}{_percent(number, language) if percent else ''}"


def _is_plain_russian(
    number: int, percent: str | None, before: list[str], after: list[str]
) -> bool:
    """Whether nothing about a number puts it into another form than that in which it is counted."""
    if before and _OF_CASE.fullmatch(before[-1].lower().strip("«»\"'(")):
        return False
    if after and after[0].lower().startswith(("год", "г.", "лет")) and number >= 1_000:
        return False
    has_gender = number % 10 in (1, 2) and number % 100 not in (11, 12)
    counted = after[0].lower() if after and not percent else ""
    return not has_gender or not counted[:1].isalpha() or bool(_MASCULINE.match(counted))


def _percent(number: int, language: str) -> str:
    if language == "en":
        return " percent"
    ten, one = number % 100, number % 10
    if one == 1 and ten != 11:
        return " процент"
    return " процента" if one in (2, 3, 4) and ten not in (12, 13, 14) else " процентов"
