"""The Free Spoken Digit Dataset is read from its file names alone."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.fsdd import read_fsdd
from kaskad.corpora.text_files import ManifestError

PARTS = ("train", "validation", "test")


@pytest.fixture(params=["recordings/{}.wav", "audio/{}.flac"], ids=["published", "as FLAC"])
def root(request: pytest.FixtureRequest, tmp_path: Path, write_tone) -> Path:
    for digit in (0, 9):
        for speaker in ("jackson", "theo"):
            for recording in range(12):
                name = request.param.format(f"{digit}_{speaker}_{recording}")
                write_tone(name, seconds=0.01, sample_rate=8_000)
    return tmp_path


def test_the_official_test_is_the_first_five_recordings(root: Path) -> None:
    tables = {part: read_fsdd(root, part) for part in PARTS}
    recordings = {
        part: {int(id.split("_")[2]) for id in table["id"]} for part, table in tables.items()
    }
    assert recordings == {"train": {10, 11}, "validation": {*range(5, 10)}, "test": {*range(5)}}
    row = tables["test"].row(by_predicate=pl.col("id") == "9_theo_3", named=True)
    assert (row["text"], row["number"], row["speaker"]) == ("nine", 9, "theo")
    assert Path(row["path"]).is_file()


def test_a_speaker_left_out_is_in_the_test_alone(root: Path) -> None:
    tables = {part: read_fsdd(root, part, leave_out="theo") for part in PARTS}
    found = {part: (set(table["speaker"]), table.height) for part, table in tables.items()}
    assert found == {
        "train": ({"jackson"}, 4),
        "validation": ({"jackson"}, 20),
        "test": ({"theo"}, 24),
    }


def test_what_is_not_there_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(
        ManifestError, match="no speaker 'leo' to leave out; speakers: jackson, theo"
    ):
        read_fsdd(root, "test", leave_out="leo")
    with pytest.raises(ManifestError, match="unknown split 'val'; known: train, validation, test"):
        read_fsdd(root, "val")
    with pytest.raises(FileNotFoundError, match=r"published at https://.*data\.root=.*recordings/"):
        read_fsdd(tmp_path_factory.mktemp("nothing"), "test")


def test_the_real_corpus_agrees_with_its_manifest(real_data: Path) -> None:
    root = real_data / "fsdd"
    tables = {part: read_fsdd(root, part) for part in PARTS}
    assert {part: table.height for part, table in tables.items()} == {
        "train": 2400,
        "validation": 300,
        "test": 300,
    }
    published = pl.read_csv(root / "manifest.csv").filter(pl.col("split") == "test")
    texts = dict(tables["test"].select("path", "text").iter_rows())
    assert texts == {str(root / path): text for path, text in published["path", "text"].iter_rows()}
