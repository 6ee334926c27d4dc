"""Numbers in words to digits and back, in Russian and English."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from num2words import num2words

LIMIT = 1000**5  # numbers are below this: trillions are the last scale in the tables
NOTHING = range(0)
# From this similarity (difflib's ratio) on, a word may be a misheard numeral: "двадцати" has 0.88,
# "пят" 0.86, "пяти" and "адин" 0.75, but "ну" 0.67, "please" 0.5, "рублей" 0.4.
RESEMBLANCE = 0.75


class Numeral(NamedTuple):
    """One spoken numeral, and which numbers may stand beside it.

    A number in ``before`` multiplies it (*five* thousand), one in ``after`` is added (twenty
    *five*).
    """

    value: int
    before: range = NOTHING
    after: range = NOTHING


def _row(
    words: str, values: Iterable[int], before: range = NOTHING, after: range = NOTHING
) -> dict[str, Numeral]:
    return {
        form: Numeral(value, before, after)
        for forms, value in zip(words.split(), values, strict=True)
        for form in forms.split("|")
    }


def _scales(words: str) -> dict[str, Numeral]:
    return {
        form: Numeral(1000**power, before=range(1, 1000), after=range(1, 1000**power))
        for power, forms in enumerate(words.split(), start=1)
        for form in forms.split("|")
    }


NUMERALS = {
    "ru": _row(
        "ноль|нуль один|одна|одно|одну два|две три четыре пять шесть семь восемь девять десять "
        "одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать "
        "восемнадцать девятнадцать",
        range(20),
    )
    | _row(
        "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
        range(20, 100, 10),
        after=range(1, 10),
    )
    | _row(
        "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот",
        range(100, 1000, 100),
        after=range(1, 100),
    )
    | _scales(
        "тысяча|тысячи|тысяч|тысячу миллион|миллиона|миллионов "
        "миллиард|миллиарда|миллиардов триллион|триллиона|триллионов"
    ),
    "en": _row(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen",
        range(20),
    )
    | _row(
        "twenty thirty forty fifty sixty seventy eighty ninety",
        range(20, 100, 10),
        after=range(1, 10),
    )
    | _row("hundred", [100], before=range(1, 10), after=range(1, 100))
    | _scales("thousand million billion trillion"),
}


def number_to_words(number: int, language: str) -> str:
    """Return ``number`` as it is spoken, worded by num2words and spelt as a transcript.

    Lower case, single spaces, without hyphens, commas and the English "and":
    125 is "one hundred twenty five".

    Raises ``ValueError`` for an unknown language and for a number below 0 or not below 10**15.
    """
    _require_known(language)
    if not 0 <= number < LIMIT:
        raise ValueError(
            f"{number} cannot be put into words here: numbers go from 0 to {LIMIT - 1}"
        )
    words = re.findall(r"\w+", num2words(number, lang=language).lower())
    return " ".join(word for word in words if word != "and")


def words_to_number(text: str, language: str, *, strict: bool = False) -> int | None:
    """Return the number that ``text`` speaks of, or ``None`` where it is not exactly one.

    Words that are no numerals are passed over wherever they stand, "and" and the article of
    "a hundred" among them; so are hyphens, punctuation, signs ("минус пять" is 5) and forms that
    counting does not take ("сто пятый" is 100). A run of digits is the number it writes ("25",
    "25 тысяч").

    A word spelt almost like a numeral is not passed over: it may be one misheard, and a misheard
    number is no number. "двадцать пят" and "сто двадцати" are ``None``, and, as caution has it,
    so are "да, пять" (два) and "the five" (three).

    ``strict`` passes over no word at all but the English "a" and "and" where they belong ("a
    hundred and five"): for judging a hypothesis, in which every word counts.

    All the numerals that remain must together make one well-formed number: "сто пять" is 105.
    A scale alone counts once ("тысяча пять" is 1005); gender and case need not agree ("два тысяча"
    is 2000). Everything else is ``None``, never a guess: two numbers ("два три", "25 000"),
    numerals that do not descend ("пять сто", "сто двести", "тысяча миллион"), a zero beside
    anything ("двадцать ноль"), "fifteen hundred".

    Raises ``ValueError`` for an unknown language.
    """
    _require_known(language)
    known = NUMERALS[language]
    # Fifteen digits are the longest number below LIMIT; a longer run falls apart, so it is None.
    tokens = re.findall(r"\d{1,15}|[^\W\d_]+", text.lower())
    heard = [Numeral(int(token)) if token.isdecimal() else known.get(token) for token in tokens]
    beside = [None, *heard, None]
    for token, left, numeral, right in zip(tokens, beside, heard, beside[2:], strict=False):
        is_noise = numeral is None and not _belongs(token, left, right)
        if is_noise and (strict or _resembles_a_numeral(token, language)):
            return None
    numerals = [numeral for numeral in heard if numeral is not None]
    return _compose(numerals, range(LIMIT)) if numerals else None


def words_to_digits(text: str, language: str) -> str:
    """Return the digits of the number in ``text``, "" where ``words_to_number`` finds none."""
    number = words_to_number(text, language)
    return "" if number is None else str(number)


def _compose(numerals: list[Numeral], allowed: range) -> int | None:
    """Return count × largest + rest, ``None`` unless all three are what may stand there.

    If the largest numeral is ``allowed``, so is the number: the tables leave room for no more.
    """
    at = max(range(len(numerals)), key=lambda index: numerals[index].value)
    value, before, after = numerals[at]
    if value not in allowed:
        return None
    count = _compose(numerals[:at], before) if at > 0 else 1
    rest = _compose(numerals[at + 1 :], after) if at + 1 < len(numerals) else 0
    return None if count is None or rest is None else count * value + rest


def _belongs(word: str, left: Numeral | None, right: Numeral | None) -> bool:
    """Is this the article of *a* hundred, or the conjunction of a hundred *and* five?"""
    if word == "and":
        return left is not None and left.before != NOTHING and right is not None
    return word == "a" and left is None and right is not None and right.before != NOTHING


@lru_cache(maxsize=4096)
def _resembles_a_numeral(word: str, language: str) -> bool:
    return bool(get_close_matches(word, NUMERALS[language], n=1, cutoff=RESEMBLANCE))


def _require_known(language: str) -> None:
    if language not in NUMERALS:
        raise ValueError(
            f"numbers in words are known in these languages: {', '.join(NUMERALS)}; "
            f"not in '{language}'. Choose one of them, or add its row to NUMERALS"
        )
