"""SentencePiece finds pieces, as many as it may and the text has, and loses no character."""

import base64
from pathlib import Path

import pytest

from kaskad.text.numerals import number_to_words
from kaskad.text.subwords import ALGORITHMS, SubwordTokenizer, syllables

NUMBERS = [number_to_words(7919 * n % 1_000_000, "ru") for n in range(300)]
CHARACTERS = set("".join(NUMBERS)) - {" "}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pieces_are_fewer_than_characters_and_spell_the_same(algorithm: str) -> None:
    tokenizer = SubwordTokenizer(100, algorithm).fit(NUMBERS)
    assert len(CHARACTERS) < tokenizer.size <= 100
    encoded = [tokenizer.encode(text) for text in NUMBERS]
    assert [tokenizer.decode(ids) for ids in encoded] == NUMBERS
    assert sum(map(len, encoded)) < sum(map(len, NUMBERS)) / 2


def test_a_small_text_gives_what_pieces_it_has() -> None:
    assert SubwordTokenizer(1000).fit(["сто один", "сто два"]).size < 40


def test_there_must_be_room_for_every_character() -> None:
    least = len(CHARACTERS) + 2  # the blank, and the beginning of a word
    assert SubwordTokenizer(least).fit(NUMBERS).size == least
    with pytest.raises(ValueError, match=rf"vocabulary_size is {least - 1}.* {least} labels"):
        SubwordTokenizer(least - 1).fit(NUMBERS)


def test_what_has_no_piece_is_left_out_and_named() -> None:
    tokenizer = SubwordTokenizer(100).fit(NUMBERS)
    assert tokenizer.decode(tokenizer.encode("стxо один")) == "сто один"
    assert tokenizer.unknown("стxо один") == {"x"}


def test_a_transcript_of_any_length_is_learnt_from() -> None:
    assert not SubwordTokenizer(100).fit(["один " * 2000 + "ы"]).unknown("ы")


def test_pieces_of_a_published_model_are_taken_as_they_are(tmp_path: Path) -> None:
    published = SubwordTokenizer(60).fit(NUMBERS)
    file = tmp_path / "pieces.model"
    file.write_bytes(base64.b64decode(published.model or ""))
    taken = SubwordTokenizer(pieces=str(file)).fit(["сто"])
    assert taken.labels == published.labels
    file.unlink()  # it is in the state from then on
    assert SubwordTokenizer(pieces=str(file), **taken.state()).encode("сто") == taken.encode("сто")
    file.write_text("сто")
    for place in (file, tmp_path / "nowhere.model"):
        with pytest.raises(ValueError, match="is no model of SentencePiece"):
            SubwordTokenizer(pieces=str(place)).fit(NUMBERS)


def test_a_model_that_is_none_is_refused() -> None:
    for model in ("сто", "YWJj"):
        with pytest.raises(ValueError, match="no SentencePiece model in base64"):
            SubwordTokenizer(model=model)
    with pytest.raises(ValueError, match="it can be one of bpe, unigram"):
        SubwordTokenizer(algorithm="bpo")


@pytest.mark.parametrize(
    ("piece", "count"),
    [(" двадцать", 2), ("ст", 0), ("ой", 1), ("их ёж", 2), ("їжа", 2), ("ea", 1), ("thirty", 2)],
)
def test_syllables_are_counted_by_vowels(piece: str, count: int) -> None:
    assert syllables(piece) == count


def test_the_summary_says_how_many_pieces_have_how_many_syllables(caplog) -> None:
    caplog.set_level("INFO")
    tokenizer = SubwordTokenizer(20).fit(["да дай"])
    vowelless, others = ["", " ", " д", "д", "й"], [" да", " дай", "а", "ай", "да", "дай"]
    assert sorted(tokenizer.labels) == sorted(vowelless + others)
    assert tokenizer.summary()["syllables"] == {"0": 40.0, "1": 60.0}  # without the blank
    assert "11 subwords of at most 20; of so many syllables: 0: 40.0 %, 1: 60.0 %" in caplog.text
