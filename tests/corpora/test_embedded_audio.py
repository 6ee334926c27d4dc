"""Parquet that holds its audio, as Hugging Face has it, is a corpus like any other."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.audio.reading import read_header
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.table import read_table
from kaskad.corpora.text_files import ManifestError


@pytest.fixture
def data_set(tmp_path: Path, write_tone) -> Path:
    """Two files of train, one of test; the names in ``path`` are of no files."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, suffixes in {
        "train-00000-of-00002": [".wav", ".mp3"],
        "train-00001-of-00002": [".flac"],
        "test-00000-of-00001": [".ogg"],
    }.items():
        content = [write_tone(f"tone{suffix}", 0.5).read_bytes() for suffix in suffixes]
        rows = {
            "audio": [{"bytes": one, "path": None} for one in content],
            "path": [f"{name}-{suffix[1:]}" for suffix in suffixes],
            "sentence": ["да"] * len(suffixes),
        }
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
    return folder


def test_a_data_set_is_written_as_files_once_and_divided_by_its_names(
    data_set: Path, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    everything = read_table(data_set, "all", unpacked=unpacked)
    assert everything.select("text", "split").rows() == [("да", "test")] + [("да", "train")] * 3
    assert everything["id"][0] == "test-00000-of-00001-ogg"
    assert [read_header(path).seconds for path in everything["path"]] == pytest.approx(
        [0.5] * 4, abs=0.1
    )
    written = {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")}
    assert read_table(data_set, "train", unpacked=unpacked).height == 3
    assert {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")} == written


def test_a_row_without_audio_says_so(data_set: Path, tmp_path: Path) -> None:
    path = data_set / "test-00000-of-00001.parquet"
    rows = pl.read_parquet(path)
    record = pl.Struct({"bytes": pl.Binary, "path": pl.String})
    rows = rows.with_columns(pl.col("audio").cast(record))
    lost = [{"bytes": None, "path": "far/away.wav"}, None]
    empty = pl.DataFrame(
        {"audio": lost, "path": ["1", "2"], "sentence": ["да"] * 2}, schema=rows.schema
    )
    pl.concat([rows, empty]).write_parquet(path)
    problems = read_manifest(path, unpacked=tmp_path)["problem"].to_list()
    told = "the table has no audio here"
    assert problems == [None, f"{told}, only its name: far/away.wav", told]


def test_without_a_folder_it_says_where_the_audio_is_and_what_to_set(data_set: Path) -> None:
    told = r"the audio lies inside the table \(column 'audio'\): name a folder .*data\.unpacked"
    with pytest.raises(ManifestError, match=told):
        read_manifest(data_set / "test-00000-of-00001.parquet")


def test_a_record_without_files_and_a_table_that_breaks_off_are_told(
    data_set: Path, tmp_path: Path
) -> None:
    path = tmp_path / "records.parquet"
    pl.DataFrame({"audio": [{"bytes": "text", "path": "a"}], "text": ["да"]}).write_parquet(path)
    with pytest.raises(ManifestError, match="in the column 'path' each row has a record"):
        read_manifest(path, unpacked=tmp_path)
    whole = (data_set / "test-00000-of-00001.parquet").read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    with pytest.raises(ManifestError, match=r"records\.parquet: .*torn, or no table in Parquet"):
        read_manifest(path, unpacked=tmp_path)
    assert not list(tmp_path.glob("records-*"))
