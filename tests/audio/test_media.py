"""What phones and browsers record is read whole, in parts, and in tar files; nothing else opens."""

import sys
from pathlib import Path

import av
import numpy as np
import pytest

from kaskad.audio import media
from kaskad.audio.files import AudioError
from kaskad.audio.folders import is_audio
from kaskad.audio.headers import inspect
from kaskad.audio.reading import read_audio, read_header
from kaskad.config.extras import how_to_install
from tests.media_files import KINDS, encoded_by_ffmpeg

LONG = 3.0  # seconds


@pytest.fixture(params=KINDS)
def recording(request, tmp_path: Path) -> Path:
    suffix, *how = KINDS[request.param]
    path = tmp_path / f"recording{suffix}"
    path.write_bytes(encoded_by_ffmpeg(*how, LONG))
    return path


def test_a_segment_is_what_it_is_of_the_whole(recording: Path, tmp_path: Path) -> None:
    whole, part = read_audio(recording, 16_000), read_audio(f"{recording}#t=1.300,2.100", 16_000)
    assert is_audio(recording)
    assert len(part) == 12_800
    # To a millisecond, which is how exact the times in a WebM are.
    near = (whole[20_800 + shift :][:12_800] for shift in range(-16, 17))
    assert min(np.abs(part - each)[100:-100].max() for each in near) < 0.02
    with pytest.raises(AudioError, match=r"ends at 9 s, and its recording lasts [23]"):
        read_header(f"{recording}#t=1,9")
    content = recording.read_bytes()
    (tmp_path / "shard.tar").write_bytes(bytes(512) + content)
    packed = f"{tmp_path / 'shard.tar'}#512+{len(content)}"
    assert read_header(packed) == read_header(recording)
    assert (read_audio(packed, 16_000) == whole).all()


def test_of_two_tracks_it_is_said_that_one_is_read(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as output:
        streams = [output.add_stream("aac", rate=16_000, layout="mono") for _ in range(2)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 16_000), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16_000, 0
            output.mux([*stream.encode(frame), *stream.encode(None)])
    doubt = read_header(tmp_path / "film.mp4").doubt
    assert doubt == "has 2 tracks of sound, of which the first is read"


def test_a_lacking_decoder_is_named_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note.amr"
    path.write_bytes(encoded_by_ffmpeg(*KINDS["a voice note"][1:]))
    monkeypatch.setitem(sys.modules, "av", None)
    problem = inspect([str(path)], tmp_path / "cache")["problem"][0]
    assert problem == media.MISSING
    assert str(how_to_install("av")) in problem
    monkeypatch.setitem(sys.modules, "av", av)
    assert inspect([str(path)], tmp_path / "cache")["duration"][0] == pytest.approx(1.0, abs=0.05)


def test_no_reader_of_playlists_is_ever_asked() -> None:
    readers = {kind for _, _, kind in media.BEGINNINGS}
    assert not readers & {"hls", "concat", "dash", "sdp", "rtsp", "imf", "image2", "lavfi"}
    assert readers <= av.formats_available
