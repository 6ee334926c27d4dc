"""Recordings are cut where nobody speaks, into segments that are short enough."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaskad.audio.segments import Segment
from kaskad.audio.voice_activity import (
    SECONDS,
    Cut,
    EnergyGate,
    read_blocks,
    speech,
    voice_activity,
)

RATE = 16_000


def recording(path: Path, *spans: tuple[float, float], seconds: float, floor: float = 1e-4) -> str:
    """Noise that is loud in the ``spans`` (seconds), as syllables are, and quiet elsewhere."""
    generator = np.random.default_rng(0)
    waveform = generator.normal(scale=floor, size=round(seconds * RATE)) if floor else None
    waveform = np.zeros(round(seconds * RATE)) if waveform is None else waveform
    for start, end in spans:
        part = slice(round(start * RATE), round(end * RATE))
        times = np.arange(part.stop - part.start) / RATE
        loud = 0.2 * generator.normal(size=len(times)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))
        waveform[part] = np.clip(loud, -1, 1)
    soundfile.write(path, waveform, RATE)
    return str(path)


@pytest.mark.parametrize("floor", [0.0, 1e-4, 0.01])
def test_speech_is_found_between_zeros_and_noises(tmp_path: Path, floor: float) -> None:
    path = recording(tmp_path / "a.wav", (1.0, 3.0), (3.2, 4.0), (6.0, 7.0), seconds=9, floor=floor)
    found = speech(path, EnergyGate(), Cut(pause=0.5))
    assert len(found) == 2  # 0.2 s is no pause
    for (start, end), (begin, stop) in zip(found, [(1.0, 4.0), (6.0, 7.0)], strict=True):
        assert begin - 0.3 <= start <= begin
        assert stop <= end <= stop + 0.3


def test_long_speech_is_cut_where_it_is_quietest_and_nothing_is_lost(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", (0.0, 4.6), (4.9, 12.0), seconds=12)
    found = speech(path, EnergyGate(), Cut(pause=0.5, longest=6.0))
    assert found[0][0] == 0.0
    assert 4.6 <= found[0][1] <= 4.9
    assert found[-1][1] == pytest.approx(12.0, abs=SECONDS)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    assert all(end - start <= 6.0 for start, end in found)


def test_in_silence_is_no_speech(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", seconds=3, floor=0.0)
    assert speech(path, EnergyGate(), Cut()) == []


def test_a_recording_is_read_a_minute_at_a_time(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", (1.0, 2.0), seconds=130)
    blocks = [len(block) for block in read_blocks(path)]
    assert len(blocks) == 3
    assert sum(blocks) == 130 * RATE
    assert max(blocks) <= 64 * RATE
    part = str(Segment(path, 1.0, 2.0))
    assert [len(block) for block in read_blocks(part)] == [RATE]


def test_what_finds_speech_is_chosen_by_name() -> None:
    assert isinstance(voice_activity("energy"), EnergyGate)
    with pytest.raises(ValueError, match="voice_activity=sillero: it is one of silero, energy"):
        voice_activity("sillero")


@pytest.mark.parametrize("cut", [{"pause": 0.0}, {"longest": 0.0}])
def test_cuts_that_cannot_be_are_refused(cut: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="recordings are cut at pauses of more than 0 seconds"):
        Cut(**cut)


def test_silero_finds_no_speech_in_noise(tmp_path: Path) -> None:
    pytest.importorskip("silero_vad")
    path = recording(tmp_path / "a.wav", (1.0, 2.0), seconds=3)
    assert speech(path, voice_activity("silero"), Cut()) == []
