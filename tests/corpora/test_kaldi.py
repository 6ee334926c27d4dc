"""A data folder of Kaldi is read, and nothing that it says is run."""

from pathlib import Path

import pytest

from kaskad.corpora.kaldi import read_kaldi
from kaskad.corpora.text_files import ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dev"
    folder.mkdir()
    (folder / "wav.scp").write_text(f"anna-1 wav/1.wav\nanna-2\t{tmp_path}/wav/2.wav\nboris-1 3\n")
    (folder / "text").write_text("anna-1 раз  два\nanna-2 три\n\nvera-1 нет записи\n")
    (folder / "utt2spk").write_text("anna-1 anna\nanna-2 anna\nboris-1 boris\n")
    (folder / "spk2gender").write_text("anna f\nboris m\n")
    return folder


def test_every_utterance_of_either_file_has_its_row(folder: Path, tmp_path: Path) -> None:
    columns = ("id", "path", "text", "speaker", "gender")
    assert read_kaldi(tmp_path, "validation").select(columns).rows() == [
        ("anna-1", f"{tmp_path}/wav/1.wav", "раз  два", "anna", "female"),
        ("anna-2", f"{tmp_path}/wav/2.wav", "три", "anna", "female"),
        ("boris-1", f"{tmp_path}/3", None, "boris", "male"),
        ("vera-1", f"{tmp_path}/vera-1", "нет записи", None, None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "wav.scp",
            "a touch {mark} |\n",
            r"wav\.scp: a is a command \(touch .* \|\), and commands",
        ),
        ("wav.scp", "a /data/raw.ark:19\n", r"a lies in an archive of Kaldi .*: wav-copy"),
        ("wav.scp", "a | touch {mark}\n", "commands are never run; write its output to an audio"),
        ("wav.scp", "a ../../1.wav\n", r"the path lies outside .* audio_root"),
        ("wav.scp", "a 1.wav\na 2.wav\n", r"wav\.scp: line 2: the key a is there already"),
        ("segments", "a rec 0.0\n", "/segments: a rec 0.0: a line is an utterance, its recording"),
        ("segments", "a rec 0.0 soon\n", "/segments: a rec 0.0 soon: a line is an utterance"),
    ],
)
def test_what_cannot_serve_is_refused_and_never_run(
    folder: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (folder / name).write_text(content.format(mark=tmp_path / "was_run"))
    with pytest.raises(ManifestError, match=message):
        read_kaldi(tmp_path, "validation")
    assert not (tmp_path / "was_run").exists()


def test_segments_are_parts_of_their_recording(folder: Path, tmp_path: Path) -> None:
    (folder / "wav.scp").write_text("call-A call.wav\ncall-B call.wav\n")
    (folder / "reco2file_and_channel").write_text("call-A call A\ncall-B call B\n")
    (folder / "segments").write_text("anna-1 call-A 0.5 2.25\nanna-2 call-B 3 -1\n")
    manifest = read_kaldi(tmp_path, "validation")
    assert manifest.select("id", "path", "text").rows() == [
        ("anna-1", f"{tmp_path}/call.wav#t=0.5,2.25&channel=0", "раз  два"),
        ("anna-2", f"{tmp_path}/call.wav#t=3.0,&channel=1", "три"),
        ("vera-1", f"{tmp_path}/vera-1", "нет записи"),
    ]
    (folder / "reco2file_and_channel").unlink()
    paths = read_kaldi(tmp_path, "validation")["path"].to_list()
    assert paths[0] == f"{tmp_path}/call.wav#t=0.5,2.25"


def test_lines_are_those_of_the_file_and_its_mark_is_no_key(folder: Path, tmp_path: Path) -> None:
    (folder / "text").write_text("anna-1 раз\u2028два\r\nanna-2\n", encoding="utf-8-sig")
    texts = read_kaldi(tmp_path, "validation").select("id", "text").rows()
    assert texts == [("anna-1", "раз\u2028два"), ("anna-2", None), ("boris-1", None)]


def test_another_encoding_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "text").write_bytes("anna-1 one\nanna-2 да\n".encode("cp1251"))
    with pytest.raises(ManifestError, match=r"dev/text: line 2 is not UTF-8 .* iconv -f cp1251"):
        read_kaldi(tmp_path, "validation")


def test_a_folder_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no .*train/wav\.scp; .*data\.root=.*folders"):
        read_kaldi(tmp_path, "train")
    with pytest.raises(ManifestError, match="unknown split 'dev'; known: train, validation, test"):
        read_kaldi(tmp_path, "dev")
