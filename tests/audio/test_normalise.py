"""Loudness and the silence around an utterance do not matter, and padding never does."""

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kaskad.audio.features import LogMel, Precomputed
from kaskad.audio.masks import padding_mask
from kaskad.audio.normalise import Running

ALL = ["none", "bins", "utterance", "speech", "shrunk", "running", "corpus"]
UNMOVED_BY_SILENCE = ["none", "speech", "shrunk", "corpus"]
UNMOVED_BY_LOUDNESS = ["bins", "utterance", "speech", "shrunk"]


def words(*seconds: float) -> tuple[Tensor, Tensor]:
    """Noise that swells and fades, a syllable in 0.2 s, in a faint background."""
    generator = torch.Generator().manual_seed(0)
    clips = []
    for length in seconds:
        times = torch.arange(round(16_000 * length)) / 16_000
        swell = torch.sin(torch.pi * times / 0.2).square()
        noise = torch.randn(2, len(times), generator=generator)
        clips.append(0.2 * swell * noise[0] + 1e-4 * noise[1])
    return pad_sequence(clips, batch_first=True), torch.tensor([len(clip) for clip in clips])


def features(choice: str) -> LogMel:
    made = LogMel(bins=20, normalise=choice).eval()
    if made.corpus_is_missing:
        made.observe(*words(1.0, 0.8, 0.4))
        made.finish_observing()
    return made


@pytest.mark.parametrize("choice", ALL)
def test_padding_changes_nothing(choice: str) -> None:
    made, (waveforms, lengths) = features(choice), words(3.0, 0.6, 0.01, 0.0001)
    together, frames = made(waveforms, lengths)
    assert not together[padding_mask(frames, together.shape[1])].any()
    for row, length in enumerate(lengths):
        alone, (count,) = made(waveforms[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row, :count], alone[0, :count], rtol=0, atol=1e-5)


@pytest.mark.parametrize("choice", UNMOVED_BY_SILENCE)
@pytest.mark.parametrize("background", [0.0, 1e-4])
def test_silence_around_a_word_changes_nothing(choice: str, background: float) -> None:
    made, (waveforms, lengths) = features(choice), words(0.6)
    silence = background * torch.randn(2, 1, 32_000, generator=torch.Generator().manual_seed(1))
    bare, _ = made(waveforms, lengths)
    among, _ = made(torch.cat([silence[0], waveforms, silence[1]], 1), lengths + 64_000)
    torch.testing.assert_close(among[0, 203:258], bare[0, 3:58], rtol=0, atol=0.02)


@pytest.mark.parametrize("choice", UNMOVED_BY_LOUDNESS)
def test_loudness_does_not_matter(choice: str) -> None:
    made, (waveforms, lengths) = features(choice), words(0.6)
    quiet, _ = made(0.25 * waveforms, lengths)
    torch.testing.assert_close(quiet, made(waveforms, lengths)[0], rtol=0, atol=0.1)


@pytest.mark.parametrize("choice", ALL)
def test_silence_alone_is_finite(choice: str) -> None:
    out, _ = features(choice)(torch.zeros(1, 8_000), torch.tensor([8_000]))
    assert out.isfinite().all()


def test_a_click_does_not_pass_for_the_loudest_of_the_speech() -> None:
    made, (waveforms, lengths) = features("speech"), words(0.6)
    clicked = waveforms.clone()
    clicked[0, 4_800] = 100.0
    kept = [*range(25), *range(36, 60)]
    expected = made(waveforms, lengths)[0][0, kept]
    torch.testing.assert_close(made(clicked, lengths)[0][0, kept], expected, rtol=0, atol=1.0)


def test_running_normalisation_can_be_had_a_part_at_a_time() -> None:
    made, (waveforms, _) = features("running"), words(4.0)
    energies = made.energies(waveforms)
    loudness, running = made.loudness(energies), made.normalisation
    assert isinstance(running, Running)
    whole, _ = running.step(energies, loudness)
    state, parts = None, []
    for part, loud in zip(energies.split(7, 1), loudness.split(7, 1), strict=True):
        brought, state = running.step(part, loud, state)
        parts.append(brought)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-4)


def test_running_normalisation_is_not_moved_by_a_pause() -> None:
    made, (waveforms, _) = features("running"), words(1.0)
    energies = made.energies(torch.cat([waveforms, torch.zeros(1, 160_000), waveforms], 1))
    brought, _ = made.normalisation.step(energies, made.loudness(energies))  # type: ignore[operator]
    assert abs(brought[0, 1_150:1_190].mean()) < 0.5


def test_corpus_normalisation_brings_the_speech_of_the_corpus_to_mean_0_and_variance_1() -> None:
    made, (waveforms, lengths) = features("corpus"), words(1.0, 0.8, 0.4)
    out, frames = made(waveforms, lengths)
    speech = out[(out.mean(2) > -2) & ~padding_mask(frames, out.shape[1])]
    variance, mean = torch.var_mean(speech, dim=0)
    torch.testing.assert_close(mean, torch.zeros(20), rtol=0, atol=0.3)
    torch.testing.assert_close(variance, torch.ones(20), rtol=0, atol=0.6)


def test_statistics_of_the_corpus_are_kept_with_the_weights_and_can_be_read() -> None:
    made = features("shrunk")
    fresh = LogMel(bins=20, normalise="shrunk")
    fresh.load_state_dict(made.state_dict())
    assert not fresh.corpus_is_missing
    readable = fresh.normalisation.corpus.summary()  # type: ignore[union-attr]
    assert len(readable["mean"]) == 20  # type: ignore[arg-type]
    assert readable["loudest"] == round(readable["loudest"], 3)  # type: ignore[arg-type]


def test_a_typo_names_the_choices() -> None:
    with pytest.raises(
        ValueError, match="'speach'; it can be one of none, bins, utterance, speech"
    ):
        LogMel(normalise="speach")


def test_features_without_energies_take_every_frame_for_speech() -> None:
    frames, lengths = torch.randn(1, 40, 4), torch.tensor([40])
    spoken, _ = Precomputed(bins=4, normalise="speech")(frames, lengths)
    torch.testing.assert_close(
        spoken, Precomputed(bins=4, normalise="utterance")(frames, lengths)[0]
    )
