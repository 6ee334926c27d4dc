"""Cepstra are those of CMU Sphinx, alone and in a batch."""

import numpy as np
import pytest
import torch

from kaskad.audio.sphinx import SphinxMFCC

# Of ``signal()``, by pocketsphinx 5 with the defaults of sphinx_fe: -nfilt 40 -lowerf 133.33334
# -upperf 6855.4976 -transform legacy -lifter 0, no dither, no removal of noise.
FIRST = [
    13.22244,
    -0.51744,
    -0.18569,
    -0.21956,
    0.05218,
    -0.20506,
    -0.84424,
    -1.06651,
    -0.60931,
    -0.19529,
    -0.15376,
    -0.45295,
    -0.07128,
]
LAST = [
    13.07360,
    -0.50798,
    -0.08860,
    -0.11156,
    0.16650,
    -0.32588,
    -1.04906,
    -0.89801,
    -0.22221,
    -0.25613,
    -0.63959,
    -0.41340,
    0.17844,
]
FRAMES = {100: 1, 409: 1, 410: 2, 411: 2, 570: 3, 571: 3, 2_000: 11}


def signal(samples: int = 2_000) -> torch.Tensor:
    times = np.arange(samples) / 16_000
    tone = 8_000 * np.sin(2 * np.pi * 440 * times)
    tone += 3_000 * np.sin(2 * np.pi * (1_500 + 800 * times) * times)
    tone += np.random.default_rng(0).normal(scale=300, size=samples)
    return torch.from_numpy(np.round(tone) / 2**15).float()


def test_cepstra_are_those_of_pocketsphinx() -> None:
    found, lengths = SphinxMFCC(normalise="none")(signal()[None], torch.tensor([2_000]))
    assert lengths.tolist() == [11] and found.shape[2] == 13
    torch.testing.assert_close(found[0, 0], torch.tensor(FIRST), atol=1e-3, rtol=0)
    torch.testing.assert_close(found[0, 10], torch.tensor(LAST), atol=1e-3, rtol=0)


def test_frames_are_counted_as_pocketsphinx_does() -> None:
    features = SphinxMFCC()
    samples = np.array([*FRAMES])
    assert features.frame_count(samples).tolist() == [*FRAMES.values()]
    for count, frames in FRAMES.items():
        assert features.frame_count(count) == frames
        assert features(signal(count)[None], torch.tensor([count]))[0].shape[1] >= frames


def test_padding_never_changes_them() -> None:
    features, lengths = SphinxMFCC(normalise="none"), torch.tensor([2_000, 1_111])
    batch = torch.stack([signal(), torch.nn.functional.pad(signal(1_111), (0, 889))])
    together, frames = features(batch, lengths)
    alone, _ = features(signal(1_111)[None], lengths[1:])
    torch.testing.assert_close(together[1, : frames[1]], alone[0, : frames[1]])


def test_frequencies_beyond_half_the_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="they must lie between 0 and 4000 Hz"):
        SphinxMFCC(sample_rate=8_000)
