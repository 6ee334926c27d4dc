"""Digits become words where there is one way to say them, and stay where there are several."""

import polars as pl
import pytest

from kaskad.text.normalisation import normalise_transcripts, notes
from kaskad.text.spelling_out import spell_out


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("100%", "ru", "сто процентов"),
        ("100 % да", "en", "one hundred percent да"),
        ("стоит 25 рублей", "ru", "стоит двадцать пять рублей"),
        ("21%, 3%", "ru", "двадцать один процент, три процента"),
        ("номер 1.", "ru", "номер один."),
        ("2 рубля и 12 минут", "ru", "два рубля и двенадцать минут"),
        ("I have 5 dogs", "en", "I have five dogs"),
        ("№ 7", "ru", "номер семь"),
        ("4 5 6", "en", "four five six"),
        ("3000 рублей", "ru", "три тысячи рублей"),
    ],
)
def test_what_can_be_said_in_one_way_is_spelt_out(text: str, language: str, words: str) -> None:
    assert spell_out(text, language) == words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("2 минуты", "ru"),
        ("до 25 рублей", "ru"),
        ("в 1984 году", "ru"),
        ("in 1984", "en"),
        ("007", "en"),
        ("47157", "ru"),
        ("1.5 и 1,5", "ru"),
        ("в 10:30", "ru"),
        ("5-й дом", "ru"),
        ("the 1st", "en"),
        ("$5", "en"),
        ("8-800-555", "ru"),
        ("5 Hunde", "de"),
        ("a+b", "en"),
        ("−5 градусов", "ru"),
        ("5'6 tall", "en"),
        ("5 < 6", "en"),
    ],
)
def test_what_can_be_said_in_several_ways_stays(text: str, language: str) -> None:
    assert spell_out(text, language) == text


def test_every_transcript_is_told_of_that_is_changed_or_left() -> None:
    texts = ["[noise] да", "25 рублей", "до 25 рублей", "Да.", None]
    manifest = pl.DataFrame({"text": texts, "language": ["ru", "ru", "ru", "ru", None]})
    assert normalise_transcripts(manifest).to_list() == [
        "да",
        "двадцать пять рублей",
        "до 25 рублей",
        "да",
        None,
    ]
    assert notes(manifest).rows() == [
        (0, "tags", "[noise] да"),
        (1, "spelt out", "25 рублей"),
        (2, "digits or signs", "до 25 рублей"),
    ]
