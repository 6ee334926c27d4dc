"""Whatever a file of audio holds, it is read as far as it goes, or costs itself alone."""

import logging
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kaskad.audio.files import AudioError
from kaskad.audio.fingerprints import fingerprints
from kaskad.audio.headers import inspect
from kaskad.audio.levels import levels
from kaskad.audio.reading import read_audio, read_header
from kaskad.data.checks import check_audio
from tests.broken_recordings import DOUBTFUL, HOLDS, SOUND, TONE, UNUSABLE, encoded, write_all


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("broken recordings [1]"))


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """End a test that hangs."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_says_why(kind: str, paths: dict[str, Path]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AudioError) as told:
        read_audio(paths[kind], 16_000)
    assert 5 < len(str(told.value)) < 200
    assert "\n" not in str(told.value)
    try:
        read_header(paths[kind])
    except AudioError as error:
        assert str(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, "kilobytes of memory, for a file of some"


@pytest.mark.parametrize("kind", HOLDS)
def test_all_that_is_there_is_read(kind: str, paths: dict[str, Path]) -> None:
    header, waveform = read_header(paths[kind]), read_audio(paths[kind], 16_000)
    assert header.seconds == pytest.approx(HOLDS[kind], abs=0.1)
    assert len(waveform) / 16_000 == pytest.approx(header.seconds, abs=0.15)
    assert (header.doubt is not None) == (kind in DOUBTFUL)
    assert np.sqrt(np.square(waveform).mean()) == pytest.approx(0.21, abs=0.05)


def test_a_sample_that_resampling_leaves_nothing_of_says_so(tmp_path: Path) -> None:
    (tmp_path / "click.wav").write_bytes(encoded("WAV", None, TONE[100:101], 48_000))
    with pytest.raises(AudioError, match="holds 1 samples, too few at 16000 Hz"):
        read_audio(tmp_path / "click.wav", 16_000)


def test_each_kind_costs_its_own_row(paths: dict[str, Path], tmp_path: Path) -> None:
    rows = [(name, str(path), "a") for name, path in paths.items()]
    manifest = pl.DataFrame(rows, schema=["id", "path", "text"], orient="row")
    usable, rest = check_audio(manifest, min_seconds=0.05, max_seconds=30, cache=tmp_path)
    assert set(SOUND) <= set(usable["id"])
    assert set(DOUBTFUL) <= set(rest["id"])
    assert usable["id"].len() + rest["id"].len() == len(paths)
    # What only decoding shows.
    assert set(usable["id"]) - set(SOUND) <= {
        "samples that are no numbers",
        "samples that are infinite",
        "floats beyond all measure",
        "a damaged flac",
        "a flac cut within its last frame",
    }
    found = levels(manifest["path"], tmp_path)
    assert set(manifest.filter(found["level"].is_not_null())["id"]) == set(HOLDS)
    known = fingerprints(manifest["path"], tmp_path, workers=1)
    assert set(manifest.filter(known["recording"].is_not_null())["id"]) == set(HOLDS)


def test_a_length_in_the_manifest_settles_a_doubt(
    paths: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    kinds = {"a wav of a recorder that crashed": 1.0, "a third of a wav": 1.0, "a wav": 4.0}
    rows = [(name, str(paths[name]), "a", seconds) for name, seconds in kinds.items()]
    manifest = pl.DataFrame(rows, schema=["id", "path", "text", "duration"], orient="row")
    usable, rest = check_audio(manifest, min_seconds=0.05, max_seconds=30)
    assert usable["id"].to_list() == ["a wav of a recorder that crashed", "a wav"]
    assert "its header says 1.00 s, it holds 0.33 s" in rest["reason"][0]
    assert f"such as {paths['a wav']}: 1.0 s instead of 4.0" in caplog.text


def test_channels_that_cancel_are_named_and_the_louder_one_read(
    paths: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert np.abs(read_audio(paths["a stereo wav that cancels"], 16_000)).max() > 0.29
    assert "its channels cancel each other out; channel 0 is read" in caplog.text


@pytest.mark.parametrize(
    "path", ["a\0b.wav", "x" * 5_000 + ".wav", "", "/", "a.wav/b.wav", "\udcff.wav"]
)
def test_a_path_that_cannot_be_one_says_so(path: str) -> None:
    for read in (read_header, lambda path: read_audio(path, 16_000)):
        with pytest.raises(AudioError):
            read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(paths: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_bytes(paths["a wav"].read_bytes())
    (tmp_path / "mine.wav").chmod(0)
    assert (
        inspect([str(tmp_path / "mine.wav")])["problem"][0] == "cannot be read: Permission denied"
    )
