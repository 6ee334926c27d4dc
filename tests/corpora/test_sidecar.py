"""A folder of audio with texts beside it is a corpus."""

from pathlib import Path

import pytest

from kaskad.corpora.sidecar import read_sidecar
from kaskad.corpora.text_files import ManifestError


@pytest.fixture
def record(tmp_path: Path, write_tone):
    def make(name: str, text: str | None, suffix: str = ".wav") -> None:
        write_tone(f"{name}{suffix}", seconds=0.05)
        if text is not None:
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8-sig")

    return make


def test_parts_are_the_folders_and_every_file_has_its_row(
    tmp_path: Path, record, caplog: pytest.LogCaptureFixture
) -> None:
    record("train/anna/1", "раз\nдва\n")
    record("dev/boris/1", None, ".flac")
    record("lost/1", "нигде")
    (tmp_path / "dev/boris/2.txt").write_text("без записи")
    train, validation = (
        read_sidecar(tmp_path, part, speaker_folders=True) for part in ("train", "validation")
    )
    assert train.select("id", "text", "speaker").rows() == [("train/anna/1.wav", "раз два", "anna")]
    assert validation.select("id", "text").rows() == [
        ("dev/boris/1.flac", None),
        ("dev/boris/2.txt", "без записи"),
    ]
    assert validation["problem"].to_list() == [
        None,
        "there is no recording of this name for its text",
    ]
    assert (
        "1 of 4 rows are in no part, for their split is 'lost' (first: lost/1.wav)" in caplog.text
    )


def test_without_such_folders_it_is_divided_by_speaker(tmp_path: Path, record) -> None:
    for speaker in ("anna", "boris", "vera", "galina"):
        for index in range(3):
            record(f"{speaker}/{index}", "да")
    parts = {
        part: set(read_sidecar(tmp_path, part, speaker_folders=True)["speaker"])
        for part in ("train", "validation", "test")
    }
    assert sorted(map(len, parts.values())) == [1, 1, 2]
    assert len(set.union(*parts.values())) == 4


def test_what_cannot_serve_is_refused(tmp_path: Path, record) -> None:
    with pytest.raises(FileNotFoundError, match=r"no audio in .*data\.root=…: it has a \.txt file"):
        read_sidecar(tmp_path, "train")
    record("1", None)
    (tmp_path / "1.txt").write_bytes("да".encode("cp1251"))
    with pytest.raises(ManifestError, match=r"1\.txt: line 1 is not UTF-8 .*; convert it"):
        read_sidecar(tmp_path, "train")
    record("1", "да", ".flac")
    with pytest.raises(ManifestError, match=r"1\.wav: 1\.flac has the same text; keep one"):
        read_sidecar(tmp_path, "train")


def test_sound_of_another_kind_has_its_row_with_what_to_do(tmp_path: Path, record) -> None:
    record("a/1", "раз", ".AIFF")
    (tmp_path / "a/phone.g722").touch()
    (tmp_path / "a/phone.txt").write_text("два", encoding="utf-8")
    rows = read_sidecar(tmp_path, "all").select("id", "text", "problem").rows()
    assert rows == [
        ("a/1.AIFF", "раз", None),
        (
            "a/phone.g722",
            "два",
            "g722 is not read here; convert it: ffmpeg -i 'phone.g722' 'phone.flac'",
        ),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"text": "раз", "text": "два"}',
            'not readable JSON: the key \'text\' stands twice .* "раз" and "два"',
        ),
        ('{"words": ["раз"]}', "holds no object with a text"),
        ('{"text": ["раз"]}', "holds no object with a text"),
        ("раз", "not readable JSON: Expecting value: line 1"),
    ],
)
def test_a_text_may_be_in_json(tmp_path: Path, record, content: str, told: str) -> None:
    record("1", None)
    (tmp_path / "1.json").write_text('{"sentence": "раз\\nдва", "speaker": 7}')
    assert read_sidecar(tmp_path, "all", suffix=".json")["text"].to_list() == ["раз два"]
    (tmp_path / "1.json").write_text(content)
    with pytest.raises(ManifestError, match=rf"1\.json: {told}"):
        read_sidecar(tmp_path, "all", suffix=".json")
