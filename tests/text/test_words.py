"""A word is a label, and a word never seen is known to be missing."""

from kaskad.text.tokenizer import BLANK
from kaskad.text.words import WordTokenizer


def test_each_word_is_a_label_that_begins_with_its_border() -> None:
    tokenizer = WordTokenizer().fit(["сто один", "сто два"])
    assert tokenizer.labels == ["", " два", " один", " сто"]
    assert tokenizer.decode([BLANK, 3, BLANK, 3, 1]) == "сто сто два"


def test_a_word_outside_the_vocabulary_is_left_out_and_named() -> None:
    tokenizer = WordTokenizer(["два", "сто"])
    assert tokenizer.encode("сто сорок два") == [2, 1]
    assert tokenizer.unknown("сто сорок два") == {"сорок"}
