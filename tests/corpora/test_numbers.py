"""The corpus is the same to the byte, whole or not there, and its voices and numbers are honest."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import soundfile

from kaskad.corpora.numbers import make_numbers, voices

SMALL = {"train": 12, "validation": 6, "test": 6, "test_known": 6}
WORDS = (
    "один одна два две три четыре пять шесть семь восемь девять десять одиннадцать двенадцать "
    "тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать "
    "тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто сто двести триста "
    "четыреста пятьсот шестьсот семьсот восемьсот девятьсот"
)
VALUES = dict(
    zip(
        WORDS.split(),
        [1, 1, 2, 2, *range(3, 20), *range(20, 100, 10), *range(100, 1000, 100)],
        strict=True,
    )
)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Where two worker processes have made the small corpus."""
    root = tmp_path_factory.mktemp("numbers")
    make_numbers(root, "train", utterances=SMALL, workers=2)
    return root


def all_splits(root: Path) -> pl.DataFrame:
    splits = {split: make_numbers(root, split, utterances=SMALL) for split in SMALL}
    return pl.concat(table.with_columns(split=pl.lit(split)) for split, table in splits.items())


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_any_number_of_workers_makes_the_same_bytes(root, tmp_path):
    make_numbers(tmp_path, "train", utterances=SMALL, workers=1)
    assert [path.relative_to(tmp_path) for path in files(tmp_path)] == [
        path.relative_to(root) for path in files(root)
    ]
    for one, two in zip(files(tmp_path), files(root), strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_the_recipe_has_not_changed_unnoticed(root):
    digest = hashlib.sha256()
    for row in all_splits(root).iter_rows(named=True):
        digest.update(f"{row['id']} {row['text']} {row['speaker']}".encode())
        digest.update(Path(row["path"]).read_bytes())
    assert digest.hexdigest()[:16] == "58bf2f0c2f9480d8", (
        "if it was meant, raise that of the language in _RECIPES"
    )


def test_a_second_call_reads_what_the_first_made(root):
    before = {path: path.stat().st_mtime_ns for path in files(root)}
    make_numbers(root, "test", utterances=SMALL)
    assert {path: path.stat().st_mtime_ns for path in files(root)} == before


def test_other_parameters_make_another_corpus(root, tmp_path):
    few = {"train": 4}
    seeds = [
        make_numbers(tmp_path, "train", utterances=few, seed=seed, workers=1) for seed in (0, 1)
    ]
    assert len(list(tmp_path.iterdir())) == 2
    assert seeds[0]["number"].to_list() != seeds[1]["number"].to_list()


def test_the_table_describes_its_files(root):
    table = all_splits(root)
    assert table["id"].is_unique().all()
    assert dict(table.group_by("split").len().iter_rows()) == SMALL
    for row in table.iter_rows(named=True):
        header = soundfile.info(row["path"])
        assert (header.samplerate, header.channels, header.subtype) == (22050, 1, "PCM_16")
        assert header.duration == pytest.approx(row["duration"])
        assert 0.5 < row["duration"] < 12


def test_the_text_says_the_number(root):
    for number, text in all_splits(root).select("number", "text").iter_rows():
        thousands, rest, said_thousand = 0, 0, False
        for word in text.split():
            if word.startswith("тысяч"):
                thousands, rest, said_thousand = rest, 0, True
            else:
                rest += VALUES[word]
        assert 1000 * thousands + rest == number, text
        assert said_thousand == (number >= 1000), text


def test_english_is_spelled_without_hyphens_and_commas(tmp_path):
    table = make_numbers(
        tmp_path, "test", language="en", utterances={"test": 1}, smallest=2345, largest=2345
    )
    assert table["text"].item() == "two thousand three hundred forty five"


def test_voices_of_validation_and_test_are_heard_nowhere_else(root):
    for _, part in all_splits(root).group_by("split"):
        cast = {voice.name: voice.gender for voice in voices(part["split"][0])}
        assert {name: cast[name] for name in part["speaker"]} == dict(
            part.select("speaker", "gender").iter_rows()
        )
    train, validation, test = (
        {voice.variant for voice in voices(split)} for split in ("train", "validation", "test")
    )
    assert not (train & validation or train & test or validation & test)
    assert voices("test_known") == voices("train")


def test_men_and_women_speak_as_often(root):
    for _, part in all_splits(root).group_by("split"):
        assert part["gender"].to_list().count("female") == len(part) / 2


def test_short_numbers_are_not_rare(tmp_path):
    table = make_numbers(tmp_path, "train", utterances={"train": 60})
    assert table["number"].is_between(1, 999_999).all()
    assert (table["number"] < 1000).sum() > 5  # uniform alone would give 0.06


def test_an_interrupted_build_leaves_nothing(tmp_path):
    program = (
        "from kaskad.corpora.numbers import make_numbers\n"
        f"make_numbers({str(tmp_path)!r}, 'train', utterances={{'train': 100_000}}, workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    while not list(tmp_path.rglob("*.wav")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "no split 'dev'.*train, validation, test, test_known"),
        ({"split": "test", "utterances": {"train": 3}}, "no split 'test'.*train"),
        ({"split": "dev", "utterances": {"dev": 3}}, "unknown splits dev.*test_known"),
        ({"split": "train", "utterances": {"train": -3}}, "negative"),
        ({"split": "train", "smallest": 9, "largest": 8}, "smallest=9, largest=8"),
        ({"split": "train", "language": "tlh"}, "'tlh'.*, en, .*, ru, "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_numbers(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
