"""What augmentation draws comes from its generator alone."""

import random
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.audio.augmentation import Augmentation, Speed

CONF = Path(__file__).resolve().parents[2] / "conf" / "augment"
TONE = (0.9 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def augmentation() -> Augmentation:
    """The one that runs use, audiomentations' transforms and all."""
    return instantiate(OmegaConf.load(CONF / "waveform.yaml").waveform)


def varied(augmentation: Augmentation, seeds: range) -> list[np.ndarray]:
    return [augmentation(TONE, 16_000, np.random.default_rng(seed)) for seed in seeds]


def test_the_same_generator_draws_the_same(augmentation: Augmentation) -> None:
    first = varied(augmentation, range(10))
    random.seed(1)
    np.random.seed(1)
    for one, two in zip(first, varied(augmentation, range(10)), strict=True):
        np.testing.assert_array_equal(one, two)
    assert len({one.tobytes() for one in first}) > 5


def test_the_global_generators_go_on_as_if_nothing_had_been_drawn(
    augmentation: Augmentation,
) -> None:
    random.seed(0)
    np.random.seed(0)
    expected = random.random(), np.random.random()
    random.seed(0)
    np.random.seed(0)
    varied(augmentation, range(3))
    assert (random.random(), np.random.random()) == expected


def test_they_go_on_even_after_a_transform_that_fails() -> None:
    def fail(samples: np.ndarray, sample_rate: int) -> np.ndarray:
        raise ZeroDivisionError(random.random())

    before = random.getstate()
    with pytest.raises(ZeroDivisionError):
        Augmentation([fail])(TONE, 16_000, np.random.default_rng(0))
    assert random.getstate() == before


def test_a_waveform_stays_one(augmentation: Augmentation) -> None:
    original = TONE.copy()
    for waveform in varied(augmentation, range(20)):
        assert (waveform.dtype, waveform.ndim) == (np.float32, 1)
        assert np.abs(waveform).max() <= 1.0
    np.testing.assert_array_equal(TONE, original)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_changes_length_and_pitch_together(factor: float) -> None:
    faster = Augmentation([Speed([factor])])(TONE, 16_000, np.random.default_rng(0))
    assert len(faster) == pytest.approx(16_000 / factor, abs=1)
    spectrum = np.abs(np.fft.rfft(faster * np.hanning(len(faster))))
    assert spectrum.argmax() * 16_000 / len(faster) == pytest.approx(440 * factor, abs=2)


def test_speed_draws_every_factor() -> None:
    lengths = {len(waveform) for waveform in varied(Augmentation([Speed()]), range(30))}
    assert len(lengths) == 3
