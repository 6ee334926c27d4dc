"""The engine keeps no memory, says what it does not know, and is silent but for the speech."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from kaskad.espeak import SAMPLE_RATE, languages, pronounce, synthesise, voice_variants

TEXT = "двести тридцать одна тысяча пятьсот семьдесят четыре"


# f3 breathes (the engine's own random numbers), caleb too (Klatt synthesis: the C library's).
@pytest.mark.parametrize("variant", ["m3", "f3", "caleb"])
def test_samples_do_not_depend_on_what_was_spoken_before(variant):
    def speak():
        return synthesise(TEXT, voice=f"ru+{variant}", rate=200, pitch=40, seed=1)

    first = speak()
    synthesise("good morning", voice="en-us+whisper", rate=90, pitch=80, pitch_range=90, seed=7)
    assert np.array_equal(first, speak())


@pytest.mark.parametrize(
    ("arguments", "digest"),
    [
        ({"voice": "ru"}, "46603cc960c6007a"),
        ({"voice": "ru+f3", "rate": 240, "pitch": 60, "seed": 3}, "ca850fd690ab9bb4"),
        ({"voice": "ru+quincy", "rate": 120, "pitch_range": 20}, "5ce88b19b6f59d07"),
    ],
)
def test_samples_are_the_same_as_when_the_corpora_in_use_were_made(arguments, digest):
    samples = synthesise(TEXT, **arguments)
    assert hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()[:16] == digest


def test_an_utterance_is_mono_speech_of_a_plausible_length_and_level():
    samples = synthesise(TEXT, voice="ru+m3")
    assert samples.dtype == np.int16 and samples.ndim == 1
    assert 2 < len(samples) / SAMPLE_RATE < 4
    assert np.abs(samples).max() > 3000


def test_a_word_is_pronounced_the_same_whatever_was_pronounced_before():
    words = ["чай", "hello", "в", "25", "ещё", "джаз", "五", "из-за"]
    together = pronounce(words, voice="ru")
    assert together[:2] == ["t͡ʃʲˈɑj", "həlˈə͡ʊ"]
    assert together == [pronounce([word], voice="ru")[0] for word in words]
    assert together[::-1] == pronounce(words[::-1], voice="ru")
    assert pronounce(["-", "25"], voice="en-us") == ["", "twˈɛntifˈa͡ɪv"]


def test_rate_pitch_and_seed_change_the_samples():
    def speak(**arguments):
        return synthesise(TEXT, voice="ru+f3", **arguments)

    plain = speak()
    assert len(speak(rate=350)) < 0.7 * len(plain)
    for arguments in ({"pitch": 70}, {"pitch_range": 90}, {"seed": 1}):
        assert not np.array_equal(plain, speak(**arguments)), arguments


def test_unknown_voices_are_refused_with_near_names():
    with pytest.raises(ValueError, match=r"voice variant 'f33'.*\bf3\b"):
        synthesise(TEXT, voice="ru+f33")
    with pytest.raises(ValueError, match="voice variant ''"):
        synthesise(TEXT, voice="ru+")
    with pytest.raises(ValueError, match=r"language 'rus'.*\bru\b"):
        synthesise(TEXT, voice="rus")


def test_values_the_engine_would_clip_in_silence_are_refused():
    with pytest.raises(ValueError, match=r"rate .*80..450, got 20"):
        synthesise(TEXT, voice="ru", rate=20)


def test_every_variant_speaks_and_the_library_prints_nothing(capfd):
    assert {"f1", "m1", "Andrea"} <= set(voice_variants())
    assert {"ru", "en-us", "uk"} <= set(languages())
    for variant in voice_variants():
        assert len(synthesise("сорок два", voice=f"ru+{variant}")) > 0.3 * SAMPLE_RATE, variant
    assert capfd.readouterr() == ("", "")


def test_data_the_engine_cannot_reach_are_not_replaced_by_others(tmp_path):
    deep = tmp_path / ("deep" * 40)
    deep.mkdir()
    (deep / "espeakng_loader").symlink_to(Path(espeakng_loader.__file__).parent)
    program = "from kaskad.espeak import synthesise; synthesise('раз', voice='ru')"
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(deep)},
        capture_output=True,
        text=True,
    )
    assert re.search(f"EspeakError: .*{deep.name}.* shorter path", process.stderr)
