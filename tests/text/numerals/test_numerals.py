"""What num2words says is read back to the same number, and nothing else is read as a number."""

import random
import re
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from num2words import num2words

from kaskad.text.numerals import (
    NUMERALS,
    is_cardinal,
    number_to_words,
    words_to_number,
    words_to_numbers,
)

LANGUAGES = list(NUMERALS)
TABLES = Path(__file__).parent
VOCABULARY = "zero one two ten thirteen twenty thirty hundred thousand million"


@pytest.mark.parametrize(
    ("number", "language", "words"),
    [
        (0, "ru", "ноль"),
        (2001, "ru", "две тысячи один"),
        (21_005_000, "ru", "двадцать один миллион пять тысяч"),
        (125, "en", "one hundred twenty five"),
        (1_001_342, "en", "one million one thousand three hundred forty two"),
    ],
)
def test_numbers_are_worded_as_in_transcripts(number, language, words):
    assert number_to_words(number, language) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_of_every_size_come_back(language):
    draw = random.Random(20)
    drawn = [draw.randrange(10**digits) for digits in range(4, 16) for _ in range(200)]
    edges = [10**power + step for power in range(1, 15) for step in (-1, 0, 1)]
    for number in [*range(2000), *drawn, *edges, 10**15 - 1]:
        assert words_to_number(number_to_words(number, language), language) == str(number)
        assert words_to_number(num2words(number, lang=language), language) == str(number)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_below_a_million_comes_back(language):
    for number in range(1_000_000):
        assert words_to_number(number_to_words(number, language), language) == str(number)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_say_is_read_as_they_mean_it(language):
    """Cases, genders and ordinals by num2words, the rest by hand; an empty cell is no number."""
    table = pl.read_csv(
        TABLES / f"{language}.tsv",
        separator="\t",
        quote_char=None,
        schema=dict.fromkeys(("text", "number", "numbers"), pl.String),
    ).fill_null("")
    assert table.height >= 300
    read = [
        (
            text,
            words_to_number(text, language) or "",
            ";".join(words_to_numbers(text, language)),
        )
        for text in table["text"]
    ]
    assert [row for row, right in zip(read, table.rows(), strict=True) if row != right] == []


@pytest.mark.parametrize("text", ["", " ", ".", "- -", "тысяча " * 5000, "минус " * 5000])
def test_what_holds_no_number_has_none(text):
    assert words_to_number(text, "ru") is None
    assert words_to_numbers(text, "ru") == []


@pytest.mark.parametrize("digits", ["1" * 5000, "0" * 16])
def test_digits_stay_as_they_are_written(digits):
    assert words_to_number(digits, "ru") == digits


@pytest.mark.parametrize(
    "fillers", ["ну э номер пожалуйста рублей кабинет", "um uh please number dollars and a for the"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_filler_is_not_mistaken_for_a_misheard_numeral(fillers, language):
    for filler in fillers.split():
        assert words_to_numbers(f"{filler} 5", language) == ["5"]
        assert words_to_number(f"{filler} 5", language) is None


@pytest.mark.parametrize(
    ("words", "language", "is_number"),
    [
        ("двадцать пять", "ru", True),
        ("тысяч", "ru", True),  # a beginning: «тысяч» is spelt like that after more words, too
        ("пять сто", "ru", False),
        ("двадцати пяти", "ru", False),
        ("ноль ноль семь", "ru", False),
        ("two hundred five", "en", True),
        ("nineteen eighty four", "en", False),
        ("", "en", False),
    ],
)
def test_a_cardinal_is_a_number_as_it_is_counted(words, language, is_number):
    assert is_cardinal(words.split(), language) == is_number


def test_no_sequence_of_numerals_is_read_as_a_number_it_does_not_spell():
    bare_scale = re.compile(r"(^|thousand |million )one (?=hundred|thousand|million)")
    readable = 0
    for length in range(1, 5):
        for words in map(" ".join, product(VOCABULARY.split(), repeat=length)):
            if is_cardinal(words.split(), "en"):
                readable += 1
                spelling = number_to_words(int(words_to_number(words, "en") or -1), "en")
                assert bare_scale.sub(r"\1", words) == bare_scale.sub(r"\1", spelling)
    assert readable > 100


def test_unknown_languages_are_refused_by_naming_the_known_ones():
    with pytest.raises(ValueError, match="in the language 'tlh'"):
        number_to_words(5, "tlh")
    with pytest.raises(ValueError, match=r"ru, en; not in 'tlh'"):
        words_to_number("wa", "tlh")


@pytest.mark.parametrize("number", [-1, 10**15])
def test_numbers_that_could_not_be_read_back_are_refused(number):
    with pytest.raises(ValueError, match=f"{number} cannot be put into words"):
        number_to_words(number, "ru")
