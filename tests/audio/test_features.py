"""Features are the same for an utterance alone or in a batch, and as many as announced."""

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import MFCC, Features, LogMel, Precomputed
from kaskad.audio.masks import padding_mask

ALL = [
    LogMel(),
    LogMel(sample_rate=8_000, bins=40, low=80.0, high=3_800.0),
    LogMel(sample_rate=22_050, window=0.02, hop=0.0125),
    MFCC(),
    MFCC(sample_rate=8_000, bins=13, mel_bands=40, dither=-70.0),
]
every_kind = pytest.mark.parametrize("features", ALL, ids=lambda f: f"{type(f).__name__}{f.bins}")
# Longer than the others by far, shorter than a window, and not whole numbers of hops.
SAMPLES = [30_000, 16_000, 15_999, 160, 100]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    noise = [0.1 * torch.randn(length, generator=generator) for length in SAMPLES]
    return pad_sequence(noise, batch_first=True), torch.tensor(SAMPLES)


@every_kind
def test_padding_changes_nothing(features: Features) -> None:
    waveforms, lengths = batch()
    together, frames = features(waveforms, lengths)
    for row, length in enumerate(SAMPLES):
        alone, count = features(waveforms[row : row + 1, :length], lengths[row : row + 1])
        assert count.item() == frames[row].item()
        torch.testing.assert_close(together[row, :count], alone[0, :count], rtol=0, atol=1e-5)
    assert not together[padding_mask(frames, together.shape[1])].any()


@every_kind
def test_frames_are_as_many_as_announced(features: Features) -> None:
    for samples in [1, features.hop - 1, features.hop, features.hop + 1, 16_000]:
        out, lengths = features(torch.zeros(1, samples), torch.tensor([samples]))
        assert lengths.tolist() == [features.frame_count(samples)]
        assert out.shape == (1, -(-features.frame_count(samples) // 8) * 8, features.bins)


def test_every_bin_of_an_utterance_has_mean_0_and_variance_1() -> None:
    out, frames = LogMel()(*batch())
    for row in range(3):
        variance, mean = torch.var_mean(out[row, : frames[row]], dim=0, correction=0)
        torch.testing.assert_close(mean, torch.zeros(80), rtol=0, atol=1e-4)
        torch.testing.assert_close(variance, torch.ones(80), rtol=0, atol=1e-3)


@every_kind
def test_loudness_does_not_matter(features: Features) -> None:
    waveforms, lengths = (part[:2] for part in batch())
    quiet, _ = features(0.5 * waveforms, lengths)
    torch.testing.assert_close(quiet, features(waveforms, lengths)[0], rtol=0, atol=0.05)


@every_kind
def test_silence_is_finite(features: Features) -> None:
    out, _ = features(torch.zeros(1, 1_600), torch.tensor([1_600]))
    assert out.isfinite().all()


def test_features_are_single_precision_whatever_that_of_the_run() -> None:
    waveforms, lengths = batch()
    expected, _ = LogMel()(waveforms, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = LogMel()(waveforms.bfloat16().float(), lengths)
        half, _ = LogMel()(waveforms, lengths)
    assert out.dtype == torch.float32
    torch.testing.assert_close(half, expected)


def test_a_higher_tone_lies_in_a_higher_bin() -> None:
    times = torch.arange(16_000) / 16_000
    tones = torch.stack([0.3 * torch.sin(2 * torch.pi * f * times) for f in (300, 1_000, 4_000)])
    peaks = LogMel().energies(tones).mean(dim=1).argmax(dim=1)
    assert peaks.diff().min() > 5


def test_features_of_a_corpus_are_only_normalised() -> None:
    features, lengths = Precomputed(sample_rate=50, bins=4), torch.tensor([9, 5])
    frames = torch.randn(2, 9, 4) * 10 + 3
    together, counts = features(
        frames.masked_fill(padding_mask(lengths, 9)[:, :, None], 0), lengths
    )
    alone, _ = features(frames[1:, :5], lengths[1:])
    assert counts.tolist() == features.frame_count(lengths).tolist() == [9, 5]
    torch.testing.assert_close(together[1, :5], alone[0, :5], rtol=0, atol=1e-5)
    assert not together[1, 5:].any()
    spread = (frames[0] - frames[0].mean(0)) / frames[0].std(0, correction=0)
    torch.testing.assert_close(together[0, :9], spread, rtol=0, atol=1e-4)


def test_frames_of_another_size_say_which_bins_to_choose() -> None:
    with pytest.raises(ValueError, match=r"train with features\.bins=40"):
        Precomputed(bins=13)(torch.zeros(1, 9, 40), torch.tensor([9]))


def test_only_what_lies_within_the_range_is_heard() -> None:
    times = torch.arange(16_000) / 16_000
    tones = torch.stack([0.3 * torch.sin(2 * torch.pi * f * times) for f in (200, 1_000, 6_000)])
    below, within, above = LogMel(low=500.0, high=4_000.0).energies(tones).amax(dim=(1, 2))
    assert within > below + 5
    assert within > above + 5


def test_dither_makes_digital_silence_a_quiet_room() -> None:
    silence = torch.zeros(1, 16_000)
    noise = 10 ** (-60 / 20) * torch.randn(1, 160_000)
    room = LogMel(dither=-60.0).energies(silence)[0, 5]
    torch.testing.assert_close(
        room, LogMel().energies(noise).exp().mean(1).log()[0], rtol=0, atol=0.3
    )


@pytest.mark.parametrize(("low", "high"), [(-1.0, None), (3_000.0, 2_000.0), (0.0, 9_000.0)])
def test_an_impossible_range_of_frequencies_says_what_is_possible(low, high) -> None:
    with pytest.raises(ValueError, match="between 0 and 8000 Hz"):
        LogMel(low=low, high=high)
