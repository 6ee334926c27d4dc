"""Augmentation draws from its generator alone, harms no clip, and reaches training alone."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from audiomentations import HighPassFilter, LowPassFilter, PitchShift
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from kaskad.audio.augment.band_pass import BandPass
from kaskad.audio.augment.waveform import SHORTEST, Augmentation, Speed
from kaskad.corpora.table import read_table
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.text.characters import CharacterTokenizer

CONF = Path(__file__).resolve().parents[3] / "conf" / "augment"
RATES = [8_000, 11_025, 16_000, 44_100]
CHANGE_LENGTH = ("speed", "tempo")


def tone(samples: int, sample_rate: int) -> np.ndarray:
    return (0.9 * np.sin(2 * np.pi * 440 * np.arange(samples) / sample_rate)).astype(np.float32)


def settings() -> DictConfig:
    return OmegaConf.load(CONF / "waveform.yaml").waveform


TONE = tone(16_000, 16_000)


@pytest.fixture(scope="module")
def augmentation() -> Augmentation:
    """The one that runs use, audiomentations' transforms and all."""
    return instantiate(settings())


def each_alone(recordings: Path) -> Iterator[tuple[str, Augmentation]]:
    """Every transform of the configuration by itself, and applied to every clip."""
    for name in settings().transforms:
        config = settings()
        config.only = [name]
        transform = config.transforms[name]
        transform.update({key: 1.0 for key in transform if key == "p"})
        transform.update({key: str(recordings) for key in transform if key == "folder"})
        yield name, instantiate(config)


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


@pytest.mark.parametrize("sample_rate", RATES)
def test_no_clip_is_too_short_for_any_transform(recordings: Path, sample_rate: int) -> None:
    for name, alone in each_alone(recordings):
        assert [*alone.transforms] == [name]
        changed = 0
        for samples in (0, 1, 10, 400, sample_rate):
            original = tone(samples, sample_rate)
            for seed in range(4):
                varied = alone(original, sample_rate, np.random.default_rng(seed))
                assert (varied.dtype, varied.ndim) == (np.float32, 1), name
                assert np.isfinite(varied).all() and np.abs(varied).max(initial=0) <= 1, name
                if samples < SHORTEST * sample_rate:
                    np.testing.assert_array_equal(varied, original)
                elif name in CHANGE_LENGTH:
                    assert samples / 1.12 <= len(varied) <= samples / 0.88, name
                else:
                    assert len(varied) == samples, name
                changed += not np.array_equal(varied, original)
        assert changed, name


@pytest.mark.parametrize("sample_rate", RATES)
def test_whatever_is_drawn_a_filter_has_edges_that_its_rate_has(sample_rate: int) -> None:
    filters = [
        BandPass(100.0, 20_000.0, 0.5, 1.99, p=1.0),
        LowPassFilter(20.0, 30_000.0, p=1.0),
        HighPassFilter(20.0, 30_000.0, p=1.0),
    ]
    original = tone(sample_rate // 20, sample_rate)
    for each in filters:
        both = Augmentation({"pitch": PitchShift(-12, 12, p=1.0), "filter": each})
        for seed in range(150):
            varied = both(original, sample_rate, np.random.default_rng(seed))
            assert len(varied) == len(original)
            assert np.isfinite(varied).all()
            if isinstance(each, BandPass):  # of the others, audiomentations itself takes care
                centre, width = each.parameters["center_freq"], each.parameters["bandwidth"]
                assert 0 < centre - width / 2 < centre + width / 2 < sample_rate / 2


def test_filters_take_away_what_lies_beyond_their_edges() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=32_000).astype(np.float32)

    def energy_left(each: object, lowest: int, highest: int) -> float:
        """Of the frequencies between two, in Hz."""
        filtered = Augmentation([each])(noise, 16_000, np.random.default_rng(0))
        before, after = (
            np.abs(np.fft.rfft(x)[2 * lowest : 2 * highest]) for x in (noise, filtered)
        )
        return float((after**2).sum() / (before**2).sum())

    low, high = LowPassFilter(2_000.0, 2_000.0, p=1.0), HighPassFilter(2_000.0, 2_000.0, p=1.0)
    band = BandPass(2_000.0, 2_000.0, 1.0, 1.0, p=1.0)
    assert energy_left(low, 0, 1_000) > 0.9 and energy_left(low, 6_000, 8_000) < 0.05
    assert energy_left(high, 0, 600) < 0.05 and energy_left(high, 4_000, 8_000) > 0.9
    assert energy_left(band, 0, 300) < 0.05 and energy_left(band, 1_500, 2_500) > 0.8
    assert energy_left(band, 6_000, 8_000) < 0.05


def test_samples_that_are_not_finite_do_not_spread(caplog) -> None:
    filtered = Augmentation([LowPassFilter(1_000.0, 1_000.0, p=1.0)])
    broken = TONE.copy()
    broken[100] = np.nan
    np.testing.assert_array_equal(filtered(broken, 16_000, np.random.default_rng(0)), broken)

    failing = {"split": lambda samples, _: samples / 0.0, "cut": lambda samples, _: samples[:0]}
    with np.errstate(all="ignore"):
        varied = Augmentation(failing)(TONE, 16_000, np.random.default_rng(0))
    np.testing.assert_array_equal(varied, TONE)
    assert "'split' failed for a clip" in caplog.text
    assert "'cut' failed for a clip" in caplog.text


def test_transforms_are_turned_off_and_chosen_by_name() -> None:
    config = settings()
    config.transforms.pitch = None
    usual = [*instantiate(settings()).transforms]
    assert [*instantiate(config).transforms] == [name for name in usual if name != "pitch"]
    config.only = ["noise", "speed"]
    assert [*instantiate(config).transforms] == ["speed", "noise"]
    with pytest.raises(ValueError, match="no such transform: pich; known: pitch"):
        Augmentation({"pitch": None}, only=["pich"])


@pytest.mark.parametrize("idle", ["pitch", "room", "background"])
def test_what_would_do_nothing_is_not_chosen_in_vain(idle: str) -> None:
    config = settings()
    config.transforms.pitch = None
    config.only = ["speed", idle]
    with pytest.raises(
        InstantiationException, match=rf"only: {idle} would do nothing; .*{idle}\.p"
    ):
        instantiate(config)
    config.transforms.room.p = 0.3
    config.only = ["speed", "room"]
    assert [*instantiate(config).transforms] == ["speed", "room"]


def test_what_is_judged_is_heard_as_it_is(augmentation: Augmentation, make_corpus) -> None:
    manifest = partial(read_table, make_corpus(["один", "два", "три"] * 3))
    roles = ("train", "validation", "test")
    corpora = {role: Corpus(role, "ru", manifest, split="all") for role in roles}
    data = SpeechDataModule(corpora, 16_000, augment=augmentation, workers=0)
    data.load(*roles)
    data.connect(CharacterTokenizer().fit(data.transcripts("train")))
    (training,) = data.train_dataloader()
    assert len({waveform.numpy().tobytes() for waveform in training.waveforms}) > 3
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    for loader in (data.val_dataloader(), *data.test_dataloader()):
        (batch,) = loader
        for waveform in batch.waveforms:
            np.testing.assert_allclose(waveform, expected, atol=1e-4)
