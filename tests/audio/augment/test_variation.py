"""Energies are varied in training alone, within what was asked for and within the utterance."""

import pytest
import torch

from kaskad.audio.augment.recording import Channel, Noise
from kaskad.audio.augment.timing import Pad, Tempo, Truncate, at_times
from kaskad.audio.augment.variation import Variation
from kaskad.audio.features import LogMel, Precomputed
from kaskad.audio.masks import padding_mask
from kaskad.audio.normalise import DECIBEL

LENGTHS = torch.tensor([60, 35, 1])


def energies() -> torch.Tensor:
    """Speech between two stretches of background; NaN where nothing may be looked at."""
    made = torch.randn(3, 60, 12, generator=torch.Generator().manual_seed(0)) - 9
    made[:2, 10:25] += 9
    return made.masked_fill(padding_mask(LENGTHS, 60)[:, :, None], torch.nan)


@pytest.mark.parametrize("step", [Tempo(0.2), Truncate(p=1.0), Pad(p=1.0)], ids=lambda s: type(s))
def test_steps_in_time_stay_within_the_utterance(step) -> None:
    for _ in range(20):
        varied, lengths = step(energies(), LENGTHS)
        assert varied.shape[1] == lengths.max()
        assert (lengths >= 1).all()
        assert varied[~padding_mask(lengths, varied.shape[1])].isfinite().all()


@pytest.mark.parametrize("step", [Channel(), Noise(p=1.0)], ids=lambda s: type(s))
def test_steps_in_sound_stay_within_the_utterance(step) -> None:
    varied = step(energies(), LENGTHS)
    assert varied[~padding_mask(LENGTHS, 60)].isfinite().all()


def test_tempo_makes_utterances_longer_and_shorter_within_its_share() -> None:
    lengths = Tempo(0.25)(torch.zeros(200, 100, 2), torch.full((200,), 100))[1]
    assert 79 <= lengths.min() < 90 < 110 < lengths.max() <= 125


def test_padding_leaves_the_speech_as_it_is_and_adds_nothing_louder() -> None:
    padded, lengths = Pad(frames=30, p=1.0)(energies(), LENGTHS)
    whole = energies()[0]
    before = next(start for start in range(31) if torch.equal(padded[0, start : start + 60], whole))
    around = torch.cat([padded[0, :before], padded[0, before + 60 : lengths[0]]])
    assert around.mean() < whole.mean()


def test_batches_are_padded_as_often_as_asked_for() -> None:
    torch.manual_seed(0)
    longer = [Pad(frames=30, p=0.3)(energies(), LENGTHS)[1].max() > 60 for _ in range(100)]
    assert 15 < sum(longer) < 45


def test_truncation_cuts_speech_off() -> None:
    torch.manual_seed(0)
    speech = [Truncate(p=1.0, share=0.4)(energies(), LENGTHS) for _ in range(50)]
    left = [int((varied[0, : lengths[0]].mean(1) > -5).sum()) for varied, lengths in speech]
    assert 6 <= min(left) < 13
    assert max(left) <= 15


def test_truncation_cuts_no_more_than_a_few_frames_off_each_end() -> None:
    torch.manual_seed(0)
    speech = [Truncate(p=1.0, share=1.0, frames=2)(energies(), LENGTHS) for _ in range(50)]
    left = [int((varied[0, : lengths[0]].mean(1) > -5).sum()) for varied, lengths in speech]
    assert 11 <= min(left) < 14


def test_a_channel_is_constant_in_time_and_smooth_over_the_bins() -> None:
    change = Channel(decibel=3.0)(torch.zeros(500, 4, 40), torch.full((500,), 4))
    assert torch.equal(change[:, 0], change[:, 3])
    assert change.diff(dim=2).abs().max() < 1.0
    assert 2 < change.std() / DECIBEL < 5


def test_noise_raises_the_background_and_spares_the_loudest() -> None:
    quiet = energies()[:1]
    noisy = Noise(p=1.0, snr=(15.0, 20.0))(quiet, LENGTHS[:1])
    assert (noisy >= quiet).all()
    assert noisy[0, 30:].mean() > quiet[0, 30:].mean() + 3
    torch.testing.assert_close(noisy[0, 10:25], quiet[0, 10:25], rtol=0, atol=2.0)


def test_times_between_frames_are_interpolated_and_never_beyond_the_end() -> None:
    found = at_times(energies(), LENGTHS, torch.tensor([[-1.0, 0.5, 99.0]]).expand(3, 3))
    torch.testing.assert_close(found[1, 0], energies()[1, 0])
    torch.testing.assert_close(found[1, 1], energies()[1, :2].mean(0))
    torch.testing.assert_close(found[1, 2], energies()[1, 34])


def test_a_warped_voice_moves_up_or_down_in_training_alone() -> None:
    torch.manual_seed(0)
    times = torch.arange(8_000) / 16_000
    tone = (0.3 * torch.sin(2 * torch.pi * 1_000 * times)).expand(200, -1)
    features = LogMel(vary=Variation(warp=0.15))
    plain = LogMel().energies(tone[:1]).mean(1).argmax(1)
    assert torch.equal(features.eval().energies(tone).mean(1).argmax(1), plain.expand(200))
    peaks = features.train().energies(tone).mean(1).argmax(1) - plain
    assert peaks.min() <= -2
    assert peaks.max() >= 2
    assert abs(peaks.float().mean()) < 1


def test_what_is_drawn_follows_from_the_seed() -> None:
    vary = Variation(0.1, Tempo(0.1), Truncate(), Pad(p=0.5), Channel(), Noise())
    features, waveforms = LogMel(bins=20, vary=vary), 0.1 * torch.randn(4, 8_000)
    lengths = torch.tensor([8_000, 8_000, 5_000, 100])
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(features(waveforms, lengths)[0])
    assert torch.equal(draws[0], draws[1])
    assert draws[0].shape != draws[2].shape or not torch.equal(draws[0], draws[2])


def test_ready_features_are_no_energies_to_vary() -> None:
    with pytest.raises(ValueError, match="take augment=spec or augment=none"):
        Precomputed(vary=Variation(warp=0.1))
