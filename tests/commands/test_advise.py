"""`kaskad advise` tells kinds of corpora apart, and what it writes composes."""

from itertools import product
from pathlib import Path

import polars as pl
import pytest

from kaskad.commands.advise import advise
from kaskad.config.messages import ConfigurationError
from kaskad.data.advice import choices_for, facts_of

WORDS = ["да", "нет", "стой", "вперёд"]
DIGITS = [" ".join(digits) for digits in product(("один", "два", "три", "ноль", "семь"), repeat=3)]
OPEN = [f"слово{number} и другое{number}" for number in range(120)]


def table(texts: list[str], speakers: list[str], rate: int = 16_000, **more) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "path": [f"{row}.wav" for row in range(len(texts))],
            "text": texts,
            "speaker": [speakers[row % len(speakers)] for row in range(len(texts))],
            "duration": [1.0] * len(texts),
            "sample_rate": [rate] * len(texts),
            "channels": [1] * len(texts),
            **more,
        }
    )


def advised(train: pl.DataFrame, validation: pl.DataFrame, test: pl.DataFrame) -> dict:
    return {each.key: each.value for each in choices_for(facts_of(train, validation, test))}


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (WORDS * 30, {"model": "word_classifier"}),
        (DIGITS, {"tokenizer": "words", "augment": "speaker"}),
        (OPEN, {"tokenizer": "characters", "model.encoder.hidden_size": 256}),
    ],
)
def test_words_strings_of_words_and_sentences_want_other_models(texts, chosen) -> None:
    found = advised(table(texts, ["a", "b"]), table(texts[:9], ["c"]), table(texts[:9], ["d"]))
    assert chosen.items() <= found.items()
    assert ("model" in found) == ("model" in chosen)


def test_a_word_that_only_the_test_has_opens_the_vocabulary() -> None:
    train = table(WORDS * 30, ["a", "b"])
    found = advised(train, table(["да"], ["c"]), table(["назад"], ["d"]))
    assert found["tokenizer"] == "characters"


def test_rates_and_speakers_are_looked_at() -> None:
    train = table(WORDS * 30, [*"abcdef"], rate=8_000)
    found = advised(train, table(WORDS, ["a"], rate=8_000), table(WORDS, ["g"], rate=8_000))
    assert found["features.sample_rate"] == 8_000
    assert found["data.validate_on"] == 0.2
    assert advised(train, table([], ["a"]), table(WORDS, ["a"]))["data.validate_on"] == 0.2
    known = advised(train, table(WORDS, ["a"]), table(WORDS, ["b"]))
    assert "data.validate_on" not in known


def test_what_is_written_is_a_recipe(compose, make_corpus, tmp_path: Path, monkeypatch) -> None:
    splits = ["train"] * 30 + ["validation"] * 5 + ["test"] * 5
    manifest = make_corpus(["да", "нет"] * 20, speaker=["a"] * 40, split=splits)
    output = tmp_path / "experiments" / "advised.yaml"
    typed = ("data=table", f"data.root={manifest}", f"output={output}", "cache=null")
    figures = advise(compose("advise", tmp_path, *typed))
    assert figures["utterances"] == 30
    written = output.read_text(encoding="utf-8")
    assert "- override /model: word_classifier" in written
    assert f"root: {manifest}" in written
    output.write_text("# mine\n")
    with pytest.raises(ConfigurationError, match="that kaskad advise has not written"):
        advise(compose("advise", tmp_path, *typed))
