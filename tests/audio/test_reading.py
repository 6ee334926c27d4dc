"""Any file is read as one mono waveform at one rate, or refused with the reason."""

import errno
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaskad.audio import files
from kaskad.audio.files import AudioError, Packed
from kaskad.audio.reading import read_audio, read_header


def pitch(waveform: np.ndarray, sample_rate: int) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(spectrum.argmax() * sample_rate / len(waveform))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tone.wav", {}),
        ("tone.wav", {"subtype": "FLOAT"}),
        ("tone.wav", {"channels": 2}),
        ("tone.wav", {"sample_rate": 8_000}),
        ("tone.flac", {"sample_rate": 22_050}),
        ("tone.flac", {"sample_rate": 44_100, "channels": 2}),
        ("tone.sph", {"format": "NIST", "subtype": "PCM_16"}),
        ("tone.ogg", {}),
        ("tone.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000}),
        ("tone.mp3", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_every_format_and_rate_gives_the_same_tone(write_tone, name: str, options) -> None:
    waveform = read_audio(write_tone(name, seconds=1.0, **options), 16_000)
    assert (waveform.dtype, waveform.ndim) == (np.float32, 1)
    assert len(waveform) == pytest.approx(16_000, rel=0.01)
    assert pitch(waveform, 16_000) == pytest.approx(440, abs=2)
    assert np.abs(waveform[2_000:-2_000]).max() == pytest.approx(0.3, abs=0.02)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = np.linspace(-0.5, 0.5, 1_000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, 0 * left], 1), 16_000, "FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "stereo.wav", 16_000), left / 2, atol=1e-6)


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.array([-2.0, 0.5, 3.0]), 16_000, "FLOAT")
    assert read_audio(tmp_path / "loud.wav", 16_000).tolist() == [-1.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "there is no such file"),
        ("text", "not an audio file, or a broken one"),
        ("raw", "not an audio file, or a broken one"),
        ("empty", "holds no samples"),
        ("truncated", "breaks off: its end cannot be decoded"),
        ("cut", r"breaks off after \d+ of 16000 samples"),
        ("nan", r"holds samples that are not finite \(NaN or Inf\)"),
    ],
)
def test_an_unusable_file_says_what_is_wrong_with_it(broken, fault: str, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        read_audio(broken[fault], 16_000)


def test_a_header_is_read_without_the_samples(broken) -> None:
    header = read_header(broken["truncated"])  # which read_audio would refuse
    assert (header.seconds, header.sample_rate, header.channels) == (1.0, 16_000, 1)


@pytest.fixture
def pack(tmp_path: Path):
    """Put a file between others, as into a tar file, and return its path there."""

    def put(path: Path) -> str:
        content = path.read_bytes()
        (tmp_path / "all.tar").write_bytes(b"before" + content + b"after" * 9_999)
        return str(Packed(f"{tmp_path}/all.tar", 6, len(content)))

    return put


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.ogg", {"sample_rate": 44_100}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000}),
        ("a.mp3", {}),
    ],
)
@pytest.mark.parametrize("head", [100, files.HEAD])
def test_a_header_in_a_tar_file_is_that_of_the_file(
    write_tone, pack, monkeypatch, name: str, options, head: int
) -> None:
    monkeypatch.setattr(files, "HEAD", head)
    path = write_tone(name, seconds=5.0, **options)
    assert read_header(pack(path)) == read_header(path)


@pytest.mark.skipif(not Path("/proc/thread-self/io").exists(), reason="only Linux counts the bytes")
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_header_in_a_tar_file_takes_little_of_it(write_tone, pack, name: str) -> None:
    path = pack(write_tone(name, seconds=60.0))

    def bytes_read() -> int:
        return int(Path("/proc/thread-self/io").read_text().split()[1])

    before = bytes_read()
    read_header(path)
    assert bytes_read() - before < 5 * files.HEAD


def test_a_read_error_within_a_tar_file_is_told(write_tone, pack, monkeypatch, capfd) -> None:
    class Failing(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() > 1_000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    path = pack(write_tone("a.ogg", seconds=5.0))
    monkeypatch.setattr(files, "HEAD", 100)
    monkeypatch.setattr(files, "open", lambda path, mode: Failing(path), raising=False)
    with pytest.raises(AudioError, match="cannot be read: Input/output error"):
        read_header(path)
    assert capfd.readouterr().err == ""
