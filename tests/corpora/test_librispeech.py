"""LibriSpeech is read from its folders."""

from pathlib import Path

import pytest

from kaskad.corpora.librispeech import read_librispeech
from kaskad.corpora.text_files import ManifestError


@pytest.mark.parametrize("around", ["", "LibriSpeech/"])
def test_transcripts_meet_their_audio(tmp_path: Path, write_tone, around: str) -> None:
    chapter = tmp_path / f"{around}dev-clean/84/121"
    for utterance in ("84-121-0000", "84-121-0002"):
        write_tone(f"{around}dev-clean/84/121/{utterance}.flac", seconds=0.1)
    (chapter / "84-121.trans.txt").write_text("84-121-0000 GO ON\n84-121-0001 NO AUDIO\n")
    (tmp_path / around / "SPEAKERS.TXT").write_text(";ID |SEX| SUBSET\n84   | F | dev-clean | 8\n")
    table = read_librispeech(tmp_path, "validation")
    assert table.select("id", "text", "speaker", "gender", "language").rows() == [
        ("84-121-0000", "GO ON", "84", "female", "en"),
        ("84-121-0001", "NO AUDIO", "84", "female", "en"),
        ("84-121-0002", None, "84", "female", "en"),
    ]
    assert [Path(path).is_file() for path in table["path"]] == [True, False, True]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a/1/2/1-2-3.wav",
            b"",
            r"1-2-3\.wav: .*a/1/2/1-2-3\.flac is the same utterance; keep one",
        ),
        (
            "b/1/2/1-2-3.flac",
            b"",
            r"b/1/2/1-2-3\.flac: the id 1-2-3 is that of .*a/1/2/1-2-3\.flac",
        ),
        ("a/1/2/1-2.trans.txt", b"1-2-3 YES\n1-2-3 NO\n", r"trans\.txt: line 2: 1-2-3 has a trans"),
        (
            "a/1/2/1-2.trans.txt",
            b"1-2-3 \xc4\xc0\n",
            r"1-2\.trans\.txt: line 1 is not UTF-8 .*iconv",
        ),
    ],
)
def test_what_is_there_twice_or_not_text_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    for file in ("a/1/2/1-2-3.flac", "b/1/3/1-3-4.flac", name):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    folders = {"train": ["a", "b"]}
    assert read_librispeech(tmp_path, "train", folders={"train": ["b"]}).height
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        read_librispeech(tmp_path, "train", folders=folders)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder train-clean-100 .*folders\.train=\["):
        read_librispeech(tmp_path, "train")
    with pytest.raises(ManifestError, match="unknown split 'dev'; known: train, validation, test"):
        read_librispeech(tmp_path, "dev")
