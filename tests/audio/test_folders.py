"""Whoever looks for recordings in a folder finds all of them, and is told what is none."""

import os
from pathlib import Path

import pytest

from kaskad.audio.folders import audio_in, files_in, is_audio, no_audio, why_not_read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus as it lies on a disk: links between folders, other kinds of sound, leftovers."""
    root = tmp_path / "corpus"
    for name in (
        "anna/1.wav",
        "anna/2.OGA",
        "boris/mac.aiff",
        "boris/phone.M4A",
        "boris/page.webm",
        "boris/old.G722",
        "boris/dictated.ds2",
        "boris/notes.txt",
        "boris/.hidden.wav",
        "boris/._1.wav",
        "__MACOSX/anna/1.wav",
        ".cache/1.wav",
        "../elsewhere/vera/3.flac",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "vera").symlink_to(tmp_path / "elsewhere" / "vera")
    (root / "anna" / "back").symlink_to(root)
    (root / "anna" / "itself").symlink_to("itself")
    (root / "a link to anna").symlink_to(root / "anna")
    (root / "anna" / "lost.wav").symlink_to(root / "nowhere.wav")
    return root


def test_links_are_followed_once_and_leftovers_passed_over(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = [path.relative_to(folder).as_posix() for path in audio_in(folder)]
    mine = ["boris/mac.aiff", "boris/page.webm", "boris/phone.M4A"]
    assert found == ["anna/1.wav", "anna/2.OGA", "anna/lost.wav", *mine, "vera/3.flac"]
    assert "2 files are of kinds that are not read here (.ds2, .g722): dictated.ds2, old.G722" in (
        caplog.text
    )
    assert "ffmpeg -i 'dictated.ds2' 'dictated.flac'" in caplog.text
    (folder.parent / "link").symlink_to(folder)
    assert len(audio_in(folder.parent / "link")) == len(found)


def test_a_name_that_is_no_text_is_told_and_the_others_are_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = os.fsencode(folder / "anna") + b"/" + "год.wav".encode("cp1251")
    Path(os.fsdecode(name)).touch()
    assert len(audio_in(folder)) == 7
    assert r"1 files or folders whose names are not UTF-8 (first: " in caplog.text
    assert r"anna/\xe3\xee\xe4.wav): rename them, such as convmv -r -f cp1251 -t utf-8" in (
        caplog.text
    )


def test_a_folder_without_audio_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "voice note.g722").touch()
    assert (files_in(tmp_path), audio_in(tmp_path)) == ([tmp_path / "voice note.g722"], [])
    assert "but 1 files are of kinds that are not read here (.g722)" in no_audio(tmp_path)
    assert why_not_read("a/voice note.g722") == (
        "g722 is not read here; convert it: ffmpeg -i 'voice note.g722' 'voice note.flac'"
    )
    assert (why_not_read("a.txt"), is_audio("a.WAV"), is_audio("wav")) == (None, True, False)
