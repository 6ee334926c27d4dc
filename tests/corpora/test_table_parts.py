"""Common Voice and NeMo are a table for each part."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.manifest import write_manifest
from kaskad.corpora.table import read_table, read_tables
from kaskad.corpora.text_files import ManifestError

NEMO = {"train": "train_manifest.json"}


def test_common_voice_is_read_as_it_is_distributed(tmp_path: Path) -> None:
    for part in ("train", "dev"):
        row = f'7\t{part}.mp3\tОн сказал: "Да\tfemale_feminine\tru\n'
        (tmp_path / f"{part}.tsv").write_text(f"client_id\tpath\tsentence\tgender\tlocale\n{row}")
    files = {"train": "train.tsv", "validation": "dev.tsv"}
    row = read_tables(tmp_path, "validation", files=files, audio_root="clips").row(0, named=True)
    assert row["path"] == str(tmp_path / "clips/dev.mp3")
    assert (row["text"], row["speaker"], row["language"]) == ('Он сказал: "Да', "7", "ru")


def test_a_manifest_of_nemo_is_read_beside_its_audio(tmp_path: Path) -> None:
    rows = '{"audio_filepath": "a/1.wav", "text": "да", "duration": 1.5, "offset": 0.0}\n'
    (tmp_path / "train_manifest.json").write_text(rows)
    row = read_tables(tmp_path, "train", files=NEMO, language="ru").row(0, named=True)
    assert (row["path"], row["text"]) == (f"{tmp_path}/a/1.wav#t=0.0,1.5", "да")


def test_a_corpus_may_be_named_by_a_link_as_its_table_names_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    rows = f'{{"audio_filepath": "{link}/1.wav", "text": "да"}}\n'
    (link / "manifest.jsonl").write_text(rows)
    by_part = read_tables(link, "train", files={"train": "manifest.jsonl"})
    for manifest in (by_part, read_table(link, "all")):
        assert manifest["path"].to_list() == [str(tmp_path / "real/1.wav")]


def test_what_cannot_be_read_says_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no table .*train_manifest\.json; .*files\.train"):
        read_tables(tmp_path, "train", files=NEMO)
    with pytest.raises(ManifestError, match="unknown split 'test'; known: train"):
        read_tables(tmp_path, "test", files=NEMO)


def test_turns_of_a_call_are_segments_of_it(tmp_path: Path, write_tone) -> None:
    write_tone("call.wav", seconds=4.0, channels=2)
    nemo = '{"audio_filepath": "call.wav", "text": "да", "duration": %s, "offset": %s}\n'
    (tmp_path / "m.jsonl").write_text(nemo % (1.5, 0) + nemo % (0.2, 0.1))
    (tmp_path / "m.csv").write_text(
        "Path;Transcription;Start;End;Channel\ncall.wav;да;0,5;1:02.5;right\ncall.wav;нет;;;0\n"
    )
    seen = {
        name: read_tables(tmp_path, "train", files={"train": name})["path"].to_list()
        for name in ("m.jsonl", "m.csv")
    }
    call = str(tmp_path / "call.wav")
    assert seen == {
        "m.jsonl": [f"{call}#t=0.0,1.5", f"{call}#t=0.1,0.3"],
        "m.csv": [f"{call}#t=0.5,62.5&channel=1", f"{call}#channel=0"],
    }
    write_manifest(read_table(tmp_path / "m.jsonl", "all"), tmp_path / "copy.csv")
    assert "#" not in pl.read_csv(tmp_path / "copy.csv")["path"].str.join()[0]
    assert read_table(tmp_path / "copy.csv", "all")["path"].to_list() == seen["m.jsonl"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,да,soon,2,0", r"in 1 of 1 rows 'start' is no number of seconds \(line 2: soon\)"),
        (
            "a.wav,да,1,2,middle",
            r"in 1 of 1 rows 'channel' is no channel \(line 2: middle\); ",
        ),
    ],
)
def test_a_segment_that_is_no_number_is_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(f"path,text,start,end,channel\n{row}\n")
    with pytest.raises(ManifestError, match=message):
        read_table(tmp_path / "m.csv", "all")
