"""Turns that are marked in Praat or ELAN are utterances, read from their recording."""

import os
from pathlib import Path

import pytest

from kaskad.audio.reading import read_header
from kaskad.corpora.annotations import read_annotations
from kaskad.corpora.text_files import ManifestError

pympi = pytest.importorskip("pympi")

TURNS = [("anna", 0.5, 1.25, "раз два"), ("boris", 1.0, 2.0, "три")]


def mark(path: Path, encoding: str = "utf-8") -> None:
    """Write the turns as Praat or ELAN does, with an empty interval and a remark."""
    if path.suffix == ".eaf":
        eaf = pympi.Eaf(author="test")
        eaf.remove_tier("default")
        for tier, begin, end, text in TURNS:
            eaf.add_tier(tier, part=tier.capitalize())
            eaf.add_annotation(tier, int(1_000 * begin), int(1_000 * end), text)
        eaf.add_tier("remarks")
        eaf.to_file(str(path))
    else:
        grid = pympi.TextGrid(xmax=4.0)
        for tier, begin, end, text in TURNS:
            interval = grid.add_tier(tier)
            interval.add_interval(begin, end, text)
            interval.add_interval(3.0, 3.5, " ")
        grid.add_tier("points", tier_type="TextTier")
        grid.to_file(str(path), codec=encoding)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("call.TextGrid", "utf-8"), ("call.TextGrid", "utf-16"), ("call.eaf", "")],
)
def test_each_turn_is_a_segment_of_its_recording(
    tmp_path: Path, write_tone, name: str, encoding: str
) -> None:
    call = write_tone("train/call.wav", seconds=4.0)
    mark(call.with_name(name), encoding)
    turns = read_annotations(tmp_path, "train")
    anna, boris = ("Anna", "Boris") if name.endswith("eaf") else ("anna", "boris")
    assert turns.select("path", "text", "speaker").rows() == [
        (f"{call}#t=0.5,1.25", "раз два", anna),
        (f"{call}#t=1.0,2.0", "три", boris),
    ]
    assert [read_header(path).seconds for path in turns["path"]] == [0.75, 1.0]
    chosen = read_annotations(tmp_path, "all", tiers=["boris"])
    assert chosen["text"].to_list() == ["три"]
    with pytest.raises(ManifestError, match=r"call.*: has none of the tiers words, only anna, bor"):
        read_annotations(tmp_path, "all", tiers=["words"])


def test_what_is_missing_or_broken_is_said(tmp_path: Path, write_tone) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.TextGrid or \.eaf in"):
        read_annotations(tmp_path, "all")
    mark(tmp_path / "lost.eaf")
    problems = read_annotations(tmp_path, "all")["problem"].unique().to_list()
    assert problems == ["there is no recording of this name"]


def test_tiers_of_one_name_are_all_read_and_a_file_without_turns_is_told_of(
    tmp_path: Path, write_tone, caplog: pytest.LogCaptureFixture
) -> None:
    write_tone("call.wav", seconds=4.0)
    grid = pympi.TextGrid(xmax=4.0)
    for begin, text in ((0.0, "раз"), (1.0, "два")):
        grid.add_tier("anna").add_interval(begin, begin + 1.0, text)
    grid.to_file(str(tmp_path / "call.TextGrid"))
    points = pympi.TextGrid(xmax=4.0)
    points.add_tier("points", tier_type="TextTier").add_point(1.0, "три")
    points.to_file(str(tmp_path / "points.TextGrid"))
    assert read_annotations(tmp_path, "all")["text"].to_list() == ["раз", "два"]
    assert "points.TextGrid: no interval in it has a text" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no grid", "it breaks off, or is no annotation"),
        (b"", "it breaks off, or is no annotation"),
        ("да".encode("cp1251") * 20, "line 1 is not UTF-8 .*iconv -f cp1251"),
        ("xmin = 0".encode("utf-16-le"), "line 1 is not UTF-8 .*iconv -f utf-16-le"),
        (None, "is not a regular file"),
    ],
)
def test_what_is_no_annotation_says_so(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "call.TextGrid"
    os.mkfifo(path) if content is None else path.write_bytes(content)
    with pytest.raises(ManifestError, match=rf"call\.TextGrid: {reason}"):
        read_annotations(tmp_path, "all")


SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

-0.5
4
<exists>
1
"IntervalTier"
"anna"
-0.5
4
2
2
3
"два"
5.8e-11
1.5e+0
"раз
и"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_the_short_form_has_its_numbers_in_any_notation_and_order(
    tmp_path: Path, write_tone, encoding: str
) -> None:
    call = write_tone("call.wav", seconds=4.0)
    (tmp_path / "call.TextGrid").write_text(SHORT, encoding=encoding, newline="\r\n")
    assert read_annotations(tmp_path, "all").select("path", "text").rows() == [
        (f"{call}#t=0.0,1.5", "раз и"),
        (f"{call}#t=2.0,3.0", "два"),
    ]
