"""Features take the place of audio by their paths: read, measured, told apart, refused by name."""

from pathlib import Path

import numpy as np
import pytest

from kaskad.audio.files import AudioError
from kaskad.audio.fingerprints import fingerprints
from kaskad.audio.headers import inspect
from kaskad.audio.precomputed import read_signal, read_signal_header


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """Ten frames of three values each, frame n being n, n, n."""
    np.save(tmp_path / "all.npy", np.repeat(np.arange(10.0), 3).reshape(10, 3).astype("float16"))
    return tmp_path / "all.npy"


def test_a_path_names_an_array_or_rows_of_it(array: Path) -> None:
    frames = read_signal(f"{array}#2:5@50", 50)
    assert (frames.dtype, frames[:, 0].tolist()) == (np.float32, [2.0, 3.0, 4.0])
    assert len(read_signal(array, 100)) == 10
    header = read_signal_header(f"{array}#2:5@50")
    assert (header.seconds, header.channels) == (0.06, 3)


@pytest.mark.parametrize(
    ("rows", "sample_rate", "message"),
    [
        ("#8:11", 100, "holds no frames 8:11: it has 10"),
        ("#5:5", 100, "holds no frames 5:5"),
        ("@50", 100, "is features, 50 frames a second; the model takes 100 frames a second"),
        ("", 16_000, "is features, 100 frames a second; the model takes audio"),
    ],
)
def test_frames_that_are_not_there_or_not_wanted_are_refused(
    array: Path, rows: str, sample_rate: int, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        read_signal(f"{array}{rows}", sample_rate)


def test_audio_is_refused_where_features_are_wanted(write_tone) -> None:
    with pytest.raises(AudioError, match="is audio, and the model takes ready features"):
        read_signal(write_tone("a.wav"), 100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([{"a": 1}]), "not an array of numbers"),  # a pickle: never executed
        (np.zeros(5), r"shape \(5,\), not of \(frames, bins\)"),
        (np.array([[np.nan, 0.0]]), r"not finite"),
        (np.array([[1e300, 0.0]]), r"not finite"),
        (b"This is a letter.", "not an array of numbers"),
        (None, "there is no such file"),
    ],
)
def test_what_is_no_array_of_frames_says_so(tmp_path: Path, content, message: str) -> None:
    path = tmp_path / "a.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(AudioError, match=message):
        read_signal(path, 100)


def test_headers_of_rows_are_read_again_once_their_array_has_changed(
    array: Path, tmp_path: Path
) -> None:
    paths, cache = [f"{array}#0:4", f"{array}#4:10"], tmp_path / "cache"
    assert inspect(paths, cache)["duration"].to_list() == [0.04, 0.06]
    np.save(array, np.zeros((5, 3)))
    assert inspect(paths, cache)["problem"].to_list() == [None, "holds no frames 4:10: it has 5"]


def test_the_same_frames_are_the_same_recording_wherever_they_lie(array: Path) -> None:
    np.save(array.with_name("copy.npy"), np.load(array)[2:5])
    found = fingerprints([f"{array}#2:5", str(array.with_name("copy.npy")), f"{array}#3:6"])
    first, copy, other = found["recording"]
    assert first == copy != other
