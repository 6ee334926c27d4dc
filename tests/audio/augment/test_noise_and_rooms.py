"""Rooms and noises, made up and recorded: one that fails is named, and the run goes on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaskad.audio.augment.noise_and_rooms import Room, background_noise, impulse_response
from kaskad.audio.augment.waveform import Augmentation

TONE = (0.9 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


def varied(augmentation: Augmentation, times: int) -> list[np.ndarray]:
    return [augmentation(TONE, 16_000, np.random.default_rng(seed)) for seed in range(times)]


def test_a_room_lets_a_click_decay_by_60_db_in_its_reverberation_time() -> None:
    click = np.zeros(16_000, dtype=np.float32)
    click[0] = 1.0
    room = Augmentation([Room((0.5, 0.5), (0.0, 0.0), p=1.0)])
    response = room(click, 16_000, np.random.default_rng(0))
    assert response[0] ** 2 == pytest.approx((response[1:] ** 2).sum(), rel=0.01)  # 0 dB

    def level(second: float) -> float:
        begin = round(second * 16_000)
        return float(10 * np.log10((response[begin : begin + 800] ** 2).mean()))

    assert level(0.05) - level(0.4) == pytest.approx(0.35 / 0.5 * 60, abs=2)
    assert np.abs(response[8_100:]).max() < 1e-5


def test_background_noise_is_as_loud_as_it_is_to_be(recordings: Path) -> None:
    behind = Augmentation([background_noise(str(recordings), 10.0, 10.0, p=1.0)])
    quiet = TONE / 4
    noise = behind(quiet, 16_000, np.random.default_rng(0)) - quiet
    assert 10 * np.log10((quiet**2).mean() / (noise**2).mean()) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("make", [background_noise, impulse_response])
def test_a_folder_without_audio_is_refused_and_no_folder_is_none(
    make, recordings: Path, tmp_path: Path, caplog
) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "torn.wav").write_text("no audio either")
    with pytest.raises(FileNotFoundError, match="no audio that can be read"):
        make(str(tmp_path))
    (tmp_path / "noise.wav").write_bytes((recordings / "noise.wav").read_bytes())
    assert make(str(tmp_path)) is not None
    assert "1 of 2 recordings cannot be read and are left out, such as torn.wav" in caplog.text
    assert make(None) is None


@pytest.mark.parametrize("make", [background_noise, impulse_response])
@pytest.mark.parametrize("torn", ["truncated", "cut"])
def test_a_torn_recording_is_left_out_by_name(
    make, recordings: Path, broken: dict[str, Path], tmp_path: Path, caplog, torn: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    broken[torn].rename(folder / broken[torn].name)
    with pytest.raises(FileNotFoundError, match=rf"\({broken[torn].name}: breaks off.*\); augm"):
        make(str(folder))
    (folder / "noise.wav").write_bytes((recordings / "noise.wav").read_bytes())
    alone = Augmentation([make(str(folder), p=1.0)])
    assert (
        f"1 of 2 recordings cannot be read and are left out, such as {broken[torn].name}: br"
        in (caplog.text)
    )
    assert all(not np.array_equal(waveform, TONE) for waveform in varied(alone, 8))


@pytest.mark.parametrize("make", [background_noise, impulse_response])
@pytest.mark.parametrize("fault", ["gone", "torn in its midst"])
def test_a_clip_goes_on_without_a_recording_that_fails_and_the_rest_is_varied(
    make, recordings: Path, tmp_path: Path, caplog, fault: str
) -> None:
    noise, rate = soundfile.read(recordings / "noise.wav")
    for name in ("lost.flac", "sound.flac"):
        soundfile.write(tmp_path / name, noise, rate)
    alone = Augmentation([make(str(tmp_path), p=1.0)])
    if fault == "gone":
        (tmp_path / "lost.flac").unlink()
    else:
        content = bytearray((tmp_path / "lost.flac").read_bytes())
        content[len(content) // 8 : len(content) // 2] = bytes(
            len(content) // 2 - len(content) // 8
        )
        (tmp_path / "lost.flac").write_bytes(content)
    caplog.clear()
    unchanged = [np.array_equal(waveform, TONE) for waveform in varied(alone, 30)]
    assert 5 < sum(unchanged) < 25
    warnings = [record.getMessage() for record in caplog.records]
    reason = "there is no such file" if fault == "gone" else "breaks off"
    assert len(warnings) == 1 and f"{tmp_path}/lost.flac: {reason}" in warnings[0]


def test_what_fails_with_a_sound_recording_is_no_fault_of_its_own(recordings: Path) -> None:
    alone = background_noise(str(recordings), p=1.0)
    with pytest.raises(ValueError, match=r"for \(samples,\)"):
        alone(np.zeros((2, 3, 4), dtype=np.float32), 16_000)
