"""Whole transcripts are labels, and what is not wanted has one label together."""

import pytest

from kaskad.text.phrases import PhraseTokenizer


def test_a_command_of_several_words_is_one_label() -> None:
    tokenizer = PhraseTokenizer().fit(["turn left", "stop", "turn left"])
    assert tokenizer.labels == ["", "stop", "turn left"]
    assert tokenizer.decode(tokenizer.encode("turn left")) == "turn left"
    assert tokenizer.encode("turn") == []
    assert tokenizer.unknown("turn") == {"turn"}


def test_whatever_is_outside_the_vocabulary_is_unknown() -> None:
    tokenizer = PhraseTokenizer(vocabulary=["yes", "no"], unknown="unknown")
    spelt = tokenizer.spell(["yes", "maybe so", "no", ""], "en")
    assert spelt == ["yes", "unknown", "no", ""]
    assert tokenizer.fit(spelt).labels == ["", "no", "unknown", "yes"]
    again = PhraseTokenizer(vocabulary=["yes", "no"], unknown="unknown", **tokenizer.state())
    assert again.labels == tokenizer.labels


def test_a_vocabulary_without_a_label_for_the_rest_is_refused() -> None:
    with pytest.raises(ValueError, match="go together"):
        PhraseTokenizer(vocabulary=["yes"])
