"""What num2words says is read back to the same number, and nothing else is read as a number."""

import random
import re
from itertools import product

import pytest
from num2words import num2words

from kaskad.text.numerals import NUMERALS, number_to_words, words_to_digits, words_to_number

LANGUAGES = list(NUMERALS)
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
        assert words_to_number(number_to_words(number, language), language, strict=True) == number
        assert words_to_number(num2words(number, lang=language), language, strict=True) == number


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_below_a_million_comes_back(language):
    for number in range(1_000_000):
        assert words_to_number(number_to_words(number, language), language) == number


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("ну двадцать э пять", "ru", 25),
        ("Номер сто пять, пожалуйста!", "ru", 105),
        ("моё число — ещё сорок одно", "ru", 41),
        ("тридцать две", "ru", 32),
        ("тысяча пять", "ru", 1005),
        ("миллион сто тысяч", "ru", 1_100_000),
        ("два миллиарда миллион тысяча один", "ru", 2_001_001_001),
        ("нуль", "ru", 0),
        ("A Hundred and Twenty-Five", "en", 125),
        ("uh, a thousand and one", "en", 1001),
        ("hundred thousand", "en", 100_000),
        ("25", "ru", 25),
        ("кабинет 0", "ru", 0),
        ("25 тысяч 300", "ru", 25_300),
        ("сноска ² пять", "ru", 5),
    ],
)
def test_speech_is_read_past_its_noise(text, language, number):
    assert words_to_number(text, language) == number
    assert words_to_digits(text, language) == str(number)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "ru"),
        ("нет числа", "ru"),
        ("два три", "ru"),
        ("пять сто", "ru"),
        ("сто двести", "ru"),
        ("сто сто", "ru"),
        ("двадцать десять", "ru"),
        ("двадцать ноль", "ru"),
        ("ноль тысяч", "ru"),
        ("тысяча миллион", "ru"),
        ("тысяча сто тысяч", "ru"),
        ("25 000", "ru"),
        ("сто 5 6", "ru"),
        ("1" * 5000, "ru"),
        ("тысяча " * 5000, "ru"),
        ("fifteen hundred", "en"),
        ("two hundred hundred", "en"),
        ("двадцать пять", "en"),
        ("двадцать пят", "ru"),
        ("сто двадцати", "ru"),
        ("тридцат", "ru"),
        ("сто пяти", "ru"),
        ("twent five", "en"),
        ("two hunderd", "en"),
    ],
)
def test_what_is_not_one_well_formed_number_is_none(text, language):
    assert words_to_number(text, language) is None
    assert words_to_digits(text, language) == ""


@pytest.mark.parametrize(
    "fillers", ["ну э номер пожалуйста рублей кабинет минус", "um uh please number dollars and a"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_filler_is_not_mistaken_for_a_misheard_numeral(fillers, language):
    for filler in fillers.split():
        assert words_to_number(f"{filler} 5", language) == 5


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("двадцать пять", "ru", 25),
        ("25 тысяч", "ru", 25_000),
        ("ну двадцать пять", "ru", None),
        ("двадцать пять рублей", "ru", None),
        ("сто пятый", "ru", None),
        ("a hundred and twenty-five", "en", 125),
        ("two million and 5", "en", 2_000_005),
        ("a five", "en", None),
        ("five a hundred", "en", None),
        ("twenty and five", "en", None),
        ("and five", "en", None),
        ("two hundred and", "en", None),
    ],
)
def test_strictly_nothing_but_the_number_may_be_said(text, language, number):
    assert words_to_number(text, language, strict=True) == number


def test_no_sequence_of_numerals_is_read_as_a_number_it_does_not_spell():
    bare_scale = re.compile(r"(^|thousand |million )one (?=hundred|thousand|million)")
    readable = 0
    for length in range(1, 5):
        for words in map(" ".join, product(VOCABULARY.split(), repeat=length)):
            number = words_to_number(words, "en")
            if number is not None:
                readable += 1
                spelling = number_to_words(number, "en")
                assert bare_scale.sub(r"\1", words) == bare_scale.sub(r"\1", spelling)
    assert readable > 100


def test_unknown_languages_are_refused_by_naming_the_known_ones():
    with pytest.raises(ValueError, match=r"ru, en; not in 'tlh'"):
        number_to_words(5, "tlh")
    with pytest.raises(ValueError, match=r"ru, en; not in 'tlh'"):
        words_to_number("wa", "tlh")


@pytest.mark.parametrize("number", [-1, 10**15])
def test_numbers_that_could_not_be_read_back_are_refused(number):
    with pytest.raises(ValueError, match=f"{number} cannot be put into words"):
        number_to_words(number, "ru")
