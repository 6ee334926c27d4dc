"""Annotations of ELAN have the times that they have there, or say that they have none."""

from pathlib import Path

import pytest

from kaskad.corpora.annotations import read_annotations
from kaskad.corpora.text_files import ManifestError


def annotation(key: str, text: str, *slots: str, on: str = "") -> str:
    """One on the times of two slots, or ``on`` another annotation."""
    kind = "REF" if on else "ALIGNABLE"
    times = [f'TIME_SLOT_REF{number}="{slot}"' for number, slot in enumerate(slots, start=1)]
    where = f'ANNOTATION_REF="{on}"' if on else " ".join(times)
    return (
        f'<ANNOTATION><{kind}_ANNOTATION ANNOTATION_ID="{key}" {where}>'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></{kind}_ANNOTATION></ANNOTATION>"
    )


def tier(name: str, *annotations: str) -> str:
    return f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="x">{"".join(annotations)}</TIER>'


def document(*tiers: str, unit: str = "milliseconds", medium: str = "") -> str:
    """One without a schema, of slots at 1 and 2, in thousands of a unit, and one without a time."""
    scale = {"milliseconds": 1_000, "PAL-frames": 25, "NTSC-frames": 30}.get(unit, 1)
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{number * scale}"/>' for number in (1, 2)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT VERSION="2.8">'
        f'<HEADER TIME_UNITS="{unit}">{medium}</HEADER>'
        f'<TIME_ORDER>{slots}<TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>'
        f"{''.join(tiers)}</ANNOTATION_DOCUMENT>"
    )


def read(folder: Path, content: str, write_tone) -> list[tuple]:
    call = write_tone("call.wav", seconds=4.0)
    (folder / "call.eaf").write_text(content)
    turns = read_annotations(folder, "all")
    names = turns["path"].str.strip_prefix(str(call))
    return turns.with_columns(path=names).select("path", "text", "speaker").rows()


ONE = tier("anna", annotation("a1", "раз", "ts1", "ts2"))


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("milliseconds", "#t=1.0,2.0"),
        ("PAL-frames", "#t=1.0,2.0"),
        ("NTSC-frames", "#t=1.001,2.002"),
    ],
)
def test_times_may_be_frames_of_a_film(tmp_path: Path, write_tone, unit: str, path: str) -> None:
    assert read(tmp_path, document(tier("empty"), ONE, unit=unit), write_tone) == [
        (path, "раз", "anna")
    ]


def test_a_recording_may_begin_before_its_annotations(tmp_path: Path, write_tone) -> None:
    other = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///c:/film.mp4" TIME_ORIGIN="9"/>'
    medium = other + '<MEDIA_DESCRIPTOR MEDIA_URL="file:///c:/call.wav" TIME_ORIGIN="1500"/>'
    turns = read(tmp_path, document(ONE, medium=medium), write_tone)
    assert turns == [("#t=2.5,3.5", "раз", "anna")]


def test_what_is_marked_on_another_annotation_has_its_time(tmp_path: Path, write_tone) -> None:
    words = tier("words", annotation("w1", "ра", on="a1"), annotation("w2", "аз", on="a1"))
    gloss = tier("gloss", annotation("g1", "one", on="w2"))
    assert read(tmp_path, document(ONE, words, gloss), write_tone) == [
        ("#t=1.0,2.0", text, speaker)
        for text, speaker in (("раз", "anna"), ("ра аз", "words"), ("one", "gloss"))
    ]


def test_an_annotation_without_a_time_says_so(tmp_path: Path, write_tone) -> None:
    odd = [
        annotation("o1", "раз", "ts1", "ts3"),
        annotation("o2", "два", "ts1", "ts9"),
        annotation("o3", "три", on="lost"),
        annotation("o4", "четыре", on="o4"),
    ]
    texts = read(tmp_path, document(tier("odd", *odd), ONE), write_tone)
    assert texts[-1] == ("#t=1.0,2.0", "раз", "anna")
    problems = read_annotations(tmp_path, "all")["problem"].to_list()
    assert problems == ["has no time in ELAN: mark its begin and its end there"] * 4 + [None]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (document(ONE, unit="bars"), "its unit of time is 'bars'; known: milliseconds, PAL"),
        (document(ONE)[:-9], "it breaks off, or is no annotation"),
        ("<html/>", "is no annotation of ELAN, but XML of another kind: html"),
        ('<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>', "undefined entity"),
    ],
)
def test_what_is_no_annotation_says_so(
    tmp_path: Path, write_tone, content: str, reason: str
) -> None:
    with pytest.raises(ManifestError, match=rf"call\.eaf: .*{reason}"):
        read(tmp_path, content, write_tone)
