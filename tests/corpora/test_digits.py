"""Strings of digits are spoken digit by digit, with and without pauses, by several voices."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from kaskad.corpora.digits import make_digits

SMALL = {"train": 48, "validation": 12, "test": 12}
WORDS = ["ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Where two worker processes have made the small corpus."""
    root = tmp_path_factory.mktemp("digits")
    make_digits(root, "train", utterances=SMALL, workers=2)
    return root


def silent_seconds(path: str) -> float:
    """How long the longest silence between the first sound and the last one is."""
    samples, rate = soundfile.read(path, dtype="int16")
    loud = np.flatnonzero(np.abs(samples) > 20)
    return float(np.diff(loud).max() / rate)


def test_any_number_of_workers_makes_the_same_bytes(root, tmp_path):
    make_digits(tmp_path, "train", utterances=SMALL, workers=1)
    one, two = (
        {file.relative_to(made): file.read_bytes() for file in made.rglob("*") if file.is_file()}
        for made in (tmp_path, root)
    )
    assert len(one) == sum(SMALL.values()) + 2  # the manifest and the recipe
    assert one == two


def test_a_text_is_one_word_a_digit_within_the_bounds(root):
    table = make_digits(root, "train", utterances=SMALL)
    texts = [text.split() for text in table["text"]]
    assert {word for text in texts for word in text} == set(WORDS)
    assert {len(text) for text in texts} == {1, 2, 3, 4, 5}
    for text, number in zip(texts, table["number"], strict=True):
        assert number == (WORDS.index(text[0]) if len(text) == 1 else None)


def test_some_strings_are_spoken_in_one_breath_and_some_with_pauses(tmp_path):
    table = make_digits(
        tmp_path, "train", utterances={"train": 24}, shortest=4, longest=4, workers=1
    )
    assert table["text"].str.split(" ").list.len().eq(4).all()
    silences = [silent_seconds(path) for path in table["path"]]
    assert 6 <= sum(silence > 0.1 for silence in silences) <= 18
    assert max(silences) < 0.7


def test_the_voices_of_each_split_are_its_own(root):
    spoken = [make_digits(root, split, utterances=SMALL).select("speaker") for split in SMALL]
    voices = pl.concat(table.unique() for table in spoken)
    assert len(voices) == 48 + 12 + 12
    assert voices["speaker"].is_unique().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shortest": 0}, "shortest=0, longest=5"),
        ({"shortest": 4, "longest": 3}, "shortest=4, longest=3"),
        ({"language": "tlh"}, "'tlh'.*, en, .*, ru, "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_digits(tmp_path, "train", **arguments)
    assert list(tmp_path.iterdir()) == []
