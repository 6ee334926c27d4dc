"""AN4 is read as CMU distributes it, NIST SPHERE files and all, or from a manifest."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.audio.reading import read_audio
from kaskad.corpora.an4 import read_an4
from kaskad.corpora.text_files import ManifestError
from kaskad.data.checks import check_audio

PARTS = ("train", "validation", "test")
SPEAKERS = {
    "train": [f"f{n:02}" for n in range(8)] + [f"m{n:02}" for n in range(8)],
    "test": ["mjwl"],
}


@pytest.fixture
def root(tmp_path: Path, write_tone) -> Path:
    """Two utterances by each of 16 + 1 speakers, laid out as in the tar file of CMU."""
    for part, speakers in SPEAKERS.items():
        folder = {"train": "an4_clstk", "test": "an4test_clstk"}[part]
        names = [f"an{n}-{speaker}-b" for speaker in speakers for n in (251, 406)]
        ids = [f"{folder}/{name.split('-')[1]}/{name}" for name in names]
        for id in ids:
            write_tone(f"wav/{id}.sph", 0.2, format="NIST", subtype="PCM_16", endian="BIG")
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / f"etc/an4_{part}.fileids").write_text("".join(f"{id}\n" for id in ids))
        spoken = "".join(f"<s> RUBOUT G M EIGHT </s> ({name})\n" for name in names)
        (tmp_path / f"etc/an4_{part}.transcription").write_text(spoken)
    return tmp_path


def test_the_layout_of_cmu_is_read(root: Path) -> None:
    row = read_an4(root, "test").row(0, named=True)
    expected = {
        "id": "an251-mjwl-b",
        "text": "rubout g m eight",
        "speaker": "mjwl",
        "gender": "male",
        "language": "en",
    }
    assert {column: row[column] for column in expected} == expected
    waveform = read_audio(row["path"], 16_000)
    assert len(waveform) == 3_200
    assert abs(waveform).max() == pytest.approx(0.3, abs=0.01)


def test_validation_is_every_fifteenth_training_speaker(root: Path) -> None:
    speakers = {part: read_an4(root, part)["speaker"].to_list() for part in PARTS}
    assert speakers["test"] == ["mjwl"] * 2
    assert sorted(speakers["validation"]) == ["f00", "f00", "m07", "m07"]
    assert sorted({*speakers["train"]} | {"f00", "m07"}) == SPEAKERS["train"]
    assert not {"f00", "m07"} & {*speakers["train"]}


def test_an_utterance_without_a_transcript_is_set_aside_by_name(root: Path) -> None:
    path = root / "etc/an4_test.transcription"
    path.write_text(path.read_text().splitlines()[0])
    usable, rest = check_audio(read_an4(root, "test"), min_seconds=0.05, max_seconds=30)
    assert usable["id"].to_list() == ["an251-mjwl-b"]
    assert rest["reason"].str.contains("an406-mjwl-b.sph: the transcript is empty").all()


def test_what_is_not_there_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(ManifestError, match="unknown split 'val'; known: train, validation, test"):
        read_an4(root, "val")
    with pytest.raises(FileNotFoundError, match=r"published at http.*data\.root=.*etc/an4_train"):
        read_an4(tmp_path_factory.mktemp("nothing"), "test")


def test_the_real_corpus_is_whole_and_its_speakers_kept_apart(real_data: Path) -> None:
    tables = {part: read_an4(real_data / "an4", part) for part in PARTS}
    assert tables["train"].height + tables["validation"].height == 948
    assert tables["test"].height == 130
    speakers = {part: set(table["speaker"]) for part, table in tables.items()}
    assert [len(speakers[part]) for part in PARTS] == [69, 5, 10]
    assert len(set.union(*speakers.values())) == 84
    everything = pl.concat(tables.values())
    usable, rest = check_audio(everything, min_seconds=0.05, max_seconds=30)
    assert rest.is_empty()
    assert (usable["duration"] - everything["duration"]).abs().max() < 0.01
    assert usable["sample_rate"].unique().to_list() == [16_000]
