"""Common Voice and NeMo are a table for each part."""

from pathlib import Path

import pytest

from kaskad.corpora.manifest import ManifestError
from kaskad.corpora.table import read_table, read_tables

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
    assert (row["path"], row["text"]) == (str(tmp_path / "a/1.wav"), "да")


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
    row = '{"audio_filepath": "1.wav", "text": "да", "duration": 1.5, "offset": %.1f}\n'
    (tmp_path / "train_manifest.json").write_text(row % 0 + row % 2.5)
    told = (
        r"in 1 of 2 rows the utterance begins within its recording .*\(row 2: 1\.wav\); cut these"
    )
    with pytest.raises(ManifestError, match=told):
        read_tables(tmp_path, "train", files=NEMO)
