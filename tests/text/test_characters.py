"""Characters become labels and come back, and no alphabet changes unnoticed."""

import pytest

from kaskad.text.characters import CharacterTokenizer
from kaskad.text.tokenizer import BLANK

RUSSIAN = ["сто один", "ещё", "п'ять"]


def test_text_survives_the_way_to_labels_and_back() -> None:
    tokenizer = CharacterTokenizer().fit(RUSSIAN)
    for text in RUSSIAN:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.size == len(set("".join(RUSSIAN))) + 1


def test_no_character_is_the_blank_and_blanks_are_left_out() -> None:
    tokenizer = CharacterTokenizer(["a", "b"])
    assert tokenizer.encode("ab") == [1, 2]
    assert tokenizer.decode([BLANK, 1, BLANK, BLANK, 2, BLANK]) == "ab"


def test_the_order_of_transcripts_does_not_change_the_labels() -> None:
    assert (
        CharacterTokenizer().fit(RUSSIAN).alphabet
        == CharacterTokenizer().fit(RUSSIAN[::-1]).alphabet
    )


def test_what_has_no_label_is_left_out_and_named() -> None:
    tokenizer = CharacterTokenizer(["a", "b"])
    assert tokenizer.encode("abçab") == [1, 2, 1, 2]
    assert tokenizer.unknown("abçabx") == {"ç", "x"}


def test_a_tokenizer_is_fitted_once() -> None:
    tokenizer = CharacterTokenizer().fit(["ab"])
    assert tokenizer.fit(["ba", "a"]).alphabet == ["a", "b"]
    with pytest.raises(
        ValueError, match=r"already has an alphabet of 2; the training text has one of 3; .*'c'"
    ):
        tokenizer.fit(["abc"])


def test_without_an_alphabet_there_are_no_labels() -> None:
    with pytest.raises(ValueError, match="fit it on training text first"):
        CharacterTokenizer().encode("a")
    with pytest.raises(ValueError, match="training transcripts are all empty"):
        CharacterTokenizer().fit(["", ""])


def test_of_many_transcripts_one_is_held_at_a_time() -> None:
    class Units(list):
        alive = most = 0

        def __init__(self, text: str) -> None:
            super().__init__(text)
            Units.alive += 1
            Units.most = max(Units.most, Units.alive)

        def __del__(self) -> None:
            Units.alive -= 1

    class Counted(CharacterTokenizer):
        split = staticmethod(Units)

    assert Counted().fit(f"сто {n}" for n in range(100)).size == 15
    assert Units.most == 1
