"""Transcripts become phones, each a label, in the language of their corpus."""

import pytest

from kaskad.text.phonemes import PhonemeTokenizer, part, phones_of, pronounce

CHILD = "t͡ʃa͡ɪld"


def test_each_language_has_its_phones() -> None:
    assert pronounce(["ещё чай"], "ru") == ["jɪɕɵ t͡ʃʲɑj"]
    assert pronounce(["child", "", "child one"], "en") == [CHILD, "", f"{CHILD} wʌn"]


def test_words_are_not_run_together() -> None:
    assert len(pronounce(["of the boy in the house"], "en")[0].split()) == 6


def test_a_phone_is_all_that_is_tied_to_its_letter() -> None:
    assert part([f"{CHILD} dʲˈin", "bʌʔn̩ iːz"]) == ["t͡ʃ a͡ɪ l d dʲ ˈi n", "b ʌ ʔ n̩ iː z"]
    # джаз has two phones where чай has one.
    assert part(pronounce(["джаз чай"], "ru")) == ["d ʒ ɑ s t͡ʃʲ ɑ j"]


def test_words_of_another_script_leave_no_mark_of_it() -> None:
    assert pronounce(["hello"], "ru") == ["hələ͡ʊ"]


def test_marks_of_the_engine_that_are_no_ipa_are_left_out() -> None:
    assert part(pronounce(["бюджет борьба", "блюд"], "ru")) == [
        "bʲ u d ʒ ɛ t b ʌ r ɪ b ɑ",
        "b ɭʲ u t",
    ]


def test_phones_and_the_border_of_words_are_labels() -> None:
    tokenizer = PhonemeTokenizer()
    spelt = tokenizer.spell(["чай", "на дом"], "ru")
    assert tokenizer.fit(spelt).labels == ["", *sorted([" ", *"djmnoɑ", "t͡ʃʲ"])]
    for text in spelt:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknown("jɑ ŋ") == {"ŋ"}


def test_stress_is_heard_only_if_asked_for() -> None:
    assert PhonemeTokenizer().spell(["вода"], "ru") == ["vʌdɑ"]
    tokenizer = PhonemeTokenizer(stress=True)
    tokenizer.fit(tokenizer.spell(["вода"], "ru"))
    assert tokenizer.labels == ["", "d", "v", "ʌ", "ˈɑ"]


def test_yo_can_be_read_as_ye() -> None:
    with_dots, without = PhonemeTokenizer().spell(["нёс", "нес"], "ru")
    assert with_dots != without
    assert PhonemeTokenizer(yo_as_ye=True).spell(["нёс"], "ru") == [without]


def test_a_language_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="no language 'tlh'; near it"):
        PhonemeTokenizer().spell(["Qapla'"], "tlh")


def test_what_sounds_alike_has_the_same_phones() -> None:
    assert len(set(phones_of("en")(["right", "write"]))) == 1
