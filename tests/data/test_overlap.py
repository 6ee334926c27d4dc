"""The overlap check finds what training and judging share, and nothing else."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
import soxr

from kaskad import espeak
from kaskad.commands.train import train
from kaskad.corpora.fsdd import read_fsdd
from kaskad.corpora.table import read_table
from kaskad.data.checks import DataError
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.overlap import KINDS, OverlapCheck

RATE = espeak.SAMPLE_RATE
SENTENCES = {
    "train": ["сорок два", "семь тысяч сто", "двенадцать тысяч один", "пять миллионов десять"],
    "train_ext": ["дев'яносто чотири", "сімнадцять тисяч"],
    "validation": ["сто девяносто", "тридцать тысяч восемь"],
    "test": ["девятьсот шесть", "шестьдесят три тысячи два", "семнадцать", "триста четыре"],
}
COPIED = SENTENCES["test"][1]
TRIMMED = round(0.2 * RATE) + 137  # not a whole number of hops


def say(text: str, take: int = 0) -> np.ndarray:
    """One voice; in another take it is a little faster and higher."""
    speech = espeak.synthesise(text, voice="ru", rate=160 + 8 * take, pitch=50 + 3 * take)
    return speech.astype(np.float32) / 32_768


# How a recording comes to be a file with other bytes: the waveform, its rate, the kind of file.
SAME = {
    "flac": lambda waveform: (waveform, RATE, "flac"),
    "stereo": lambda waveform: (np.stack([waveform] * 2, axis=1), RATE, "wav"),
}
NEARLY_SAME = {
    "ogg": lambda waveform: (waveform, RATE, "ogg"),
    "mp3": lambda waveform: (waveform, RATE, "mp3"),
    "beginning trimmed": lambda waveform: (waveform[TRIMMED:], RATE, "wav"),
    "end trimmed": lambda waveform: (waveform[:-TRIMMED], RATE, "wav"),
    "telephone": lambda waveform: (soxr.resample(waveform, RATE, 8_000), 8_000, "wav"),
    "quieter": lambda waveform: (0.3 * waveform, RATE, "wav"),
    "trimmed mp3": lambda waveform: (waveform[TRIMMED:], RATE, "mp3"),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """A corpus whose parts share nothing at all, one row an utterance."""
    folder = tmp_path_factory.mktemp("clean")
    rows = []
    for split, texts in SENTENCES.items():
        for index, text in enumerate(texts):
            path = folder / f"{split}-{index}.wav"
            soundfile.write(path, say(text), RATE)
            rows.append((path.stem, str(path), text, split, f"of {split}"))
    return pl.DataFrame(rows, schema=["id", "path", "text", "split", "speaker"], orient="row")


@pytest.fixture
def load(clean: pl.DataFrame, tmp_path: Path) -> Callable[..., SpeechDataModule]:
    """Load the clean corpus with more utterances planted in it."""

    def load_with(*planted: dict[str, Any]) -> SpeechDataModule:
        rows = pl.concat([clean, *map(pl.DataFrame, planted)], how="diagonal")
        for split in rows["split"].unique():  # ids may be the same in two of them
            folder = tmp_path / split
            folder.mkdir()
            rows.filter(pl.col("split") == split).with_columns(split=pl.lit("test")).write_csv(
                folder / "manifest.csv"
            )
        corpora = {
            role: Corpus(
                role,  # type: ignore[arg-type]
                "uk" if role == "train_ext" else "ru",
                partial(read_table, tmp_path / role, audio_root="/"),
                split="test",
            )
            for role in SENTENCES
        }
        data = SpeechDataModule(corpora, 16_000, cache=tmp_path / "measured", max_skipped=0.5)
        data.load(*corpora)
        return data

    return load_with


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Write a waveform into a file, and return its row."""

    def write(
        waveform: np.ndarray, rate: int = RATE, suffix: str = "wav", **row: str
    ) -> dict[str, Any]:
        path = tmp_path / f"planted.{suffix}"
        soundfile.write(path, waveform, rate)
        told = {"id": "planted", "text": "двести", "split": "train", "speaker": "planted"}
        return {"path": str(path), **told, **row}

    return write


def found(report: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    """How many utterances of a corpus share what with how many of training."""
    return {
        (each["corpus"], each["kind"]): (each["utterances"], each["train_utterances"])
        for each in report["found"]
    }


def test_the_same_words_in_other_takes_of_one_voice_are_no_copies(load, tmp_path: Path) -> None:
    takes = []
    for take, split in enumerate(["train", "train", "train", "test", "validation"]):
        for text in ("семь", "двести сорок один"):
            path = tmp_path / f"take-{take}-{text}.wav"
            soundfile.write(path, say(text, take + 1), RATE)
            takes.append({"id": path.stem, "path": str(path), "text": text, "split": split})
    report = OverlapCheck()(load(*takes), tmp_path)
    assert found(report) == {("validation", "transcript"): (2, 6), ("test", "transcript"): (2, 6)}


@pytest.mark.parametrize("disguise", [*SAME, *NEARLY_SAME])
@pytest.mark.parametrize("split", ["train", "train_ext"])
def test_a_recording_of_the_test_is_found_in_training(
    disguise: str, split: str, load, plant, tmp_path: Path
) -> None:
    waveform, rate, suffix = (SAME | NEARLY_SAME)[disguise](say(COPIED))
    data = load(plant(waveform, rate, suffix, split=split))
    report = OverlapCheck(recording="report", near_duplicate="report")(data, tmp_path)
    kind = "recording" if disguise in SAME else "near_duplicate"
    assert found(report) == {("test", kind): (1, 1)}
    (listed,) = pl.read_csv(tmp_path / "overlap.csv").to_dicts()
    assert (listed["kind"], listed["corpus"], listed["id"]) == (kind, "test", "test-1")
    assert (listed["train_corpus"], listed["train_id"]) == (split, "planted")
    assert "planted" in data.manifests[split]["id"]


def test_ids_speakers_and_transcripts_are_compared(load, plant, tmp_path: Path) -> None:
    names = {"id": "test-0", "speaker": "of validation", "text": SENTENCES["test"][2]}
    report = OverlapCheck()(load(plant(say("двести"), **names)), tmp_path)
    assert found(report) == {
        ("validation", "speaker"): (2, 1),
        ("test", "id"): (1, 1),
        ("test", "transcript"): (1, 1),
    }


def test_names_in_another_language_are_those_of_others(load, plant, tmp_path: Path) -> None:
    names = {"id": "test-0", "speaker": "of test", "split": "train_ext"}
    assert found(OverlapCheck()(load(plant(say("двести"), **names)), tmp_path)) == {}


def test_what_is_dropped_is_dropped_from_training_alone(load, plant, tmp_path: Path) -> None:
    data = load(plant(*NEARLY_SAME["mp3"](say(COPIED))))
    report = OverlapCheck()(data, tmp_path)
    assert {name: data.manifests[name].height for name in SENTENCES} == {
        name: len(texts) for name, texts in SENTENCES.items()
    }
    assert "planted" not in data.manifests["train"]["id"]
    (skipped,) = data.skipped.to_dicts()
    assert (skipped["corpus"], skipped["id"]) == ("train", "planted")
    assert skipped["reason"].endswith("a recording nearly the same as test-1 of test")
    assert report["policies"]["near_duplicate"] == "drop"


def test_an_error_stops_a_run_before_anything_is_trained(
    clean: pl.DataFrame, compose, plant, tmp_path: Path
) -> None:
    rows = clean.filter(pl.col("split") != "train_ext")
    planted = pl.DataFrame(plant(*SAME["flac"](say(COPIED))))
    pl.concat([rows, planted], how="diagonal").write_csv(tmp_path / "manifest.csv")
    folder = tmp_path / "run"
    folder.mkdir()
    overrides = ["data=table", f"data.root={tmp_path}", "data.audio_root=/", "overlap=default"]
    config = compose("train", folder, *overrides, f"datamodule.cache={tmp_path}")
    with pytest.raises(
        DataError,
        match=r"1 of 4 utterances of test .*test-1 and planted.*\n.*overlap\.recording=drop, or "
        r".*overlap\.recording=warn",
    ):
        train(config)
    assert pl.read_csv(folder / "overlap.csv")["policy"].to_list() == ["error"]
    assert not (folder / "checkpoints").exists()


def test_audio_is_read_once_and_nothing_is_written_beside_it(load, plant, tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "original.wav", say(COPIED), RATE)
    original = {"id": "original", "path": str(folder / "original.wav"), "split": "validation"}
    copy = plant(*NEARLY_SAME["ogg"](say(COPIED)))
    data = load({**original, "text": "сто", "speaker": "someone"}, copy)
    check = OverlapCheck(near_duplicate="report")
    first = check(data, tmp_path)
    assert found(first)["validation", "near_duplicate"] == (1, 1)
    assert {path.name for path in folder.iterdir()} == {"original.wav"}
    for path in map(Path, (original["path"], copy["path"])):
        status = path.stat()
        path.write_bytes(b"-" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if it were the same file
    assert check(data, tmp_path) == first
    os.utime(original["path"])
    assert ("validation", "near_duplicate") not in found(check(data, tmp_path))


def test_what_is_ignored_is_not_read(load, tmp_path: Path) -> None:
    check = OverlapCheck(**dict.fromkeys(KINDS, "ignore"))  # type: ignore[arg-type]
    assert check(load(), tmp_path)["found"] == []
    assert not list((tmp_path / "measured").glob("*/"))


def test_a_recording_that_cannot_be_read_is_set_aside(load, plant, caplog, tmp_path: Path) -> None:
    waveform = say(COPIED)
    row = plant(waveform)
    waveform[len(waveform) // 2] = np.nan
    soundfile.write(row["path"], waveform, RATE, subtype="FLOAT")
    assert found(OverlapCheck()(load(row), tmp_path)) == {}
    assert "train: set aside 1 of 5 utterances" in caplog.text
    assert "holds samples that are not finite" in caplog.text


def test_the_official_split_of_fsdd_shares_its_speakers(real_data: Path, tmp_path: Path) -> None:
    corpora = {
        role: Corpus(role, "en", partial(read_fsdd, real_data / "fsdd"))  # type: ignore[arg-type]
        for role in ("train", "validation", "test")
    }
    data = SpeechDataModule(corpora, 8_000)
    data.load(*corpora)
    report = OverlapCheck(recording="ignore", near_duplicate="ignore")(data, tmp_path)
    assert found(report)["test", "speaker"] == (300, 2400)
