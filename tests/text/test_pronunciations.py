"""Dictionaries as people keep them, and words looked up in them."""

from pathlib import Path

import pytest

from kaskad.text.phonemes import PhonemeTokenizer
from kaskad.text.pronunciations import (
    DictionaryError,
    as_ipa,
    read_dictionary,
    without_stress,
)

CMUDICT = """;;; a comment
hello HH AH0 L OW1
hello(2) HH EH0 L OW1
aalborg AO1 L B AO0 R G # place, danish
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cmudict.dict", CMUDICT),
        ("lexicon.txt", CMUDICT.replace("(2)", "").replace(" # place, danish", "")),
        ("table.tsv", "Hello\tHH AH0 L OW1\nhello\tHH EH0 L OW1\naalborg\tAO1 L B AO0 R G\n"),
        (
            "table.csv",
            "phones,word\nHH AH0 L OW1,hello\nHH EH0 L OW1,HELLO\nAO1 L B AO0 R G,aalborg",
        ),
        (
            "marked.tsv",
            "\ufeffword\tid\tpronunciation\r\nhello\t1\tHH  AH0 L OW1 \r\n"
            "hello\t2\tHH EH0 L OW1\r\naalborg\t3\tAO1 L B AO0 R G\r\n",
        ),
    ],
)  # fmt: skip
def test_a_word_may_have_several_pronunciations(name: str, text: str, tmp_path: Path) -> None:
    entries = read_dictionary(write(tmp_path / name, text))
    assert [(each.word, each.phones, each.problem) for each in entries] == [
        ("hello", "HH AH0 L OW1", ""),
        ("hello", "HH EH0 L OW1", ""),
        ("aalborg", "AO1 L B AO0 R G", ""),
    ]


def test_rows_of_no_use_say_why(tmp_path: Path) -> None:
    text = "дом\td o m\n\td o m\nкот\t\nдом\td o m\n3д\tt rʲ i\nд о м\td o m\nд@м\td o m\n--\tn\n"
    entries = read_dictionary(write(tmp_path / "ru.tsv", text))
    assert [(each.line, each.problem) for each in entries] == [
        (1, ""),
        (2, "an empty word"),
        (3, "no pronunciation"),
        (4, "a repeated row"),
        (5, "a digit in the word"),
        (6, "a blank or a sign in the word"),
        (7, "a blank or a sign in the word"),
        (8, "a word without letters"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"word\ncat\ndog\n", r"no row has a pronunciation \(the first: line 2, 'cat'\)"),
        (b"cat\ndog\n", "data=espeak_pronunciations makes a dictionary of words alone"),
        (b"", "there is no word in it"),
        (b"cat\tkat\ndog\tdog\n", r"part the phones by blanks"),
        ("дом\td o m\n".encode("cp1251"), "line 1 is not UTF-8 .*CP1251"),
        (b"c\0a\0t\0", "is no text"),
    ],
)
def test_what_is_no_dictionary_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(DictionaryError, match=message):
        read_dictionary(path)


def test_phones_become_ipa_that_is_parted_again() -> None:
    assert as_ipa("HH AH0 L OW1") == "həlˈo͡ʊ"
    assert as_ipa("t͡ʃʲ ˈɑ j") == "t͡ʃʲˈɑj"
    assert as_ipa("tʃʲ aɪ ː") == "t͡ʃʲa͡ɪː"
    assert without_stress("HH AH0 L OW1 ˈɑ") == "HH AH L OW ɑ"
    tokenizer = PhonemeTokenizer(stress=True)
    assert tokenizer.split(as_ipa("CH EY1 N JH")) == ["t͡ʃ", "ˈe͡ɪ", "n", "d͡ʒ"]


def test_a_tokenizer_looks_words_up(tmp_path: Path) -> None:
    first = write(tmp_path / "cmudict.dict", CMUDICT)
    second = write(tmp_path / "more.tsv", "word\tphones\nhello\tx x\nworld\tW ER1 L D\n")
    tokenizer = PhonemeTokenizer(pronunciations=[str(first), str(second)])
    assert tokenizer.spell(["hello world", "", "hello"], "en") == ["həlo͡ʊ wɝld", "", "həlo͡ʊ"]
    stressed = PhonemeTokenizer(pronunciations=str(first), stress=True)
    assert stressed.spell(["hello"], "en") == ["həlˈo͡ʊ"]


def test_words_in_no_dictionary_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "cmudict.dict", CMUDICT)
    with pytest.raises(ValueError, match=r"2 words are not in .*: brave, world; .*model=g2p"):
        PhonemeTokenizer(pronunciations=str(path)).spell(["hello brave world"], "en")


def test_a_recogniser_that_only_decodes_needs_no_dictionary() -> None:
    tokenizer = PhonemeTokenizer(["a"], pronunciations="no/such/dictionary.tsv")
    assert tokenizer.decode([1]) == "a"
    with pytest.raises(ValueError, match="no/such"):
        tokenizer.spell(["a"], "en")
