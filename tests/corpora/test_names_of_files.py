"""Recordings are found by names that are nearly theirs, or the message names them."""

import unicodedata
from pathlib import Path

import pytest

from kaskad.audio.files import AudioError
from kaskad.audio.reading import read_header
from kaskad.corpora.manifest import read_manifest


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_letter_may_be_one_sign_or_two(
    tmp_path: Path, write_tone, on_disk: str, in_table: str
) -> None:
    write_tone(unicodedata.normalize(on_disk, "й ё.wav"), seconds=2.0)
    name = unicodedata.normalize(in_table, "й ё.wav")
    (tmp_path / "m.csv").write_text(f"path,text,start,end\n{name},да,,\n{name},нет,0.5,1\n")
    paths = read_manifest(tmp_path / "m.csv")["path"]
    assert [read_header(path).seconds for path in paths] == [2.0, 0.5]


@pytest.mark.parametrize("name", ["ONE.wav", "one.mp3", "one"])
def test_a_name_that_is_nearly_that_of_a_recording_is_reported(
    tmp_path: Path, write_tone, name: str
) -> None:
    write_tone("One.wav")
    (tmp_path / "one.txt").touch()
    with pytest.raises(AudioError, match=r"no such file, but 'One\.wav' is: write its name as it"):
        read_header(tmp_path / name)
    with pytest.raises(AudioError, match=r"no such file$"):
        read_header(tmp_path / "two.wav")
