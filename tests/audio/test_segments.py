"""Turns of a call are read from where they lie, and as they would be from files of their own."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from kaskad.audio.files import AudioError, Packed
from kaskad.audio.precomputed import file_of
from kaskad.audio.reading import read_audio, read_header, read_samples
from kaskad.audio.segments import Segment, name_segments, whole_recording

RATE = 16_000


@pytest.fixture
def call() -> np.ndarray:
    """Ten seconds of noise, (samples, 2), another on either side."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (10 * RATE, 2))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_segment_is_what_lies_between_its_seconds(
    tmp_path: Path, call: np.ndarray, suffix: str
) -> None:
    path = f"{tmp_path / 'call'}{suffix}"
    soundfile.write(path, call, RATE)
    whole, _ = read_samples(path)
    for name, begin, end in [("t=3.5,5.25", 3.5, 5.25), ("t=9,", 9, 10), ("t=0,10.02", 0, 10)]:
        segment = f"{path}#{name}"
        expected = whole[round(begin * RATE) : round(end * RATE)]
        header = read_header(segment)
        assert (header.samples, header.channels) == (len(expected), 2)
        # A decoder of MP3 begins anew where it is put, with a frame of memory less.
        np.testing.assert_allclose(read_samples(segment)[0], expected, atol=1e-4)
        assert len(read_audio(segment, 8_000)) == len(expected) // 2


def test_a_channel_is_one_side_of_a_call(tmp_path: Path, call: np.ndarray) -> None:
    soundfile.write(tmp_path / "call.wav", call, RATE, "FLOAT")
    segment = f"{tmp_path}/call.wav#t=1,2&channel=1"
    assert read_header(segment).channels == 1
    np.testing.assert_allclose(read_audio(segment, RATE), call[RATE : 2 * RATE, 1], atol=1e-6)
    content = (tmp_path / "call.wav").read_bytes()
    (tmp_path / "a.tar").write_bytes(b"before" + content + b"after")
    packed = f"{Packed(f'{tmp_path}/a.tar', 6, len(content))}#t=1,2&channel=1"
    assert read_header(packed) == read_header(segment)
    np.testing.assert_array_equal(read_audio(packed, RATE), read_audio(segment, RATE))
    assert (file_of(segment), file_of(packed)) == (f"{tmp_path}/call.wav", f"{tmp_path}/a.tar")


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("t=9,12", r"the segment ends at 12 s, and its recording lasts 10\.00 s"),
        ("t=11,", "the segment begins at 11 s and ends at 10 s"),
        ("t=3,3", "the segment begins at 3 s and ends at 3 s"),
        ("channel=2", "the segment is channel 2, and its recording has 2"),
    ],
)
def test_a_segment_that_is_not_there_says_why(
    tmp_path: Path, call: np.ndarray, segment: str, message: str
) -> None:
    soundfile.write(tmp_path / "call.wav", call, RATE)
    for read in (read_header, read_samples):
        with pytest.raises(AudioError, match=message):
            read(f"{tmp_path}/call.wav#{segment}")


def test_a_name_is_made_of_columns_and_taken_apart_again() -> None:
    rows = [
        ("a.wav", None, None, None, Segment("a.wav")),
        ("a.wav", 0.1, 2.25, None, Segment("a.wav", 0.1, 2.25)),
        ("a#1.wav", None, 2.0, 1, Segment("a#1.wav", 0.0, 2.0, 1)),
        ("a.wav", 3.0, None, None, Segment("a.wav", 3.0)),
        ("a#channel=.wav", None, None, 0, Segment("a#channel=.wav", channel=0)),
    ]
    table = pl.DataFrame(
        [row[:4] for row in rows], orient="row", schema=["path", "start", "end", "channel"]
    )
    named = table.select(name_segments(*map(pl.col, table.columns))).to_series()
    assert [Segment.at(name) for name in named] == [row[4] for row in rows]
    assert (
        named.to_frame("path")
        .select(whole_recording(pl.col("path")))
        .to_series()
        .equals(table["path"])
    )
    assert Segment.at("who is this#").file == "who is this#"
