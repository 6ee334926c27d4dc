"""Any text is spoken by any voices, the same to the byte wherever the text lies."""

from pathlib import Path

import pytest

from kaskad.corpora.synthetic_text import make_synthetic_text
from kaskad.corpora.text_files import ManifestError

FEW = {"train": 6, "test": 2}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "commands.txt"
    path.write_text("вперёд\n\n стой!\nналево\n", encoding="utf-8")
    return path


def test_each_line_is_spoken_equally_often_by_the_voices_that_are_named(text, tmp_path):
    table = make_synthetic_text(
        tmp_path, "train", text=text, utterances=FEW, voices={"train": ["f3", "m1"]}, workers=1
    )
    assert sorted(table["text"]) == sorted(["вперёд", "стой!", "налево"] * 2)
    assert table["gender"].to_list() == ["female", "male"] * 3
    assert all(name.startswith(("f3-", "m1-")) for name in table["speaker"])


def test_the_same_text_elsewhere_gives_the_same_bytes(text, tmp_path):
    moved = tmp_path / "elsewhere" / "words.txt"
    moved.parent.mkdir()
    moved.write_text(text.read_text(encoding="utf-8"), encoding="utf-8")
    first, second = (
        make_synthetic_text(tmp_path / name, "test", text=path, utterances=FEW, workers=1)
        for name, path in (("one", text), ("two", moved))
    )
    named = first["path"].str.replace("/one/", "/two/", literal=True)
    assert named.to_list() == second["path"].to_list()
    for one, two in zip(first["path"], second["path"], strict=True):
        assert Path(one).read_bytes() == Path(two).read_bytes()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"voices": {"train": ["f33"]}},
            "voices.train: espeak-ng has no voice variant f33; it has",
        ),
        ({"voices": {"dev": ["f3"]}}, "unknown splits dev; choose among train"),
        ({"language": "xx"}, "language 'xx' cannot be both spelled and spoken; choose one of "),
    ],
)
def test_what_cannot_be_spoken_is_refused(text, tmp_path, options, fault):
    with pytest.raises(ValueError, match=fault):
        make_synthetic_text(tmp_path, "train", text=text, utterances=FEW, **options)


def test_a_text_without_lines_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(ManifestError, match=r"empty\.txt: it has no line of text"):
        make_synthetic_text(tmp_path, "train", text=tmp_path / "empty.txt")
    with pytest.raises(FileNotFoundError, match=r"say where it is with data\.text="):
        make_synthetic_text(tmp_path, "train", text=tmp_path / "none.txt")
