"""Fingerprints of anything that can be read; the similarity of what was shifted."""

import numpy as np
import polars as pl
import pytest
import soundfile

from kaskad import espeak
from kaskad.audio import fingerprints as module
from kaskad.audio.fingerprints import MOST_KEYS, RATE, fingerprints, keys_of, similarity


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    speech = espeak.synthesise("девятьсот девяносто девять", voice="ru")
    return speech[::5].astype(np.float32) / 32_768  # about RATE


def test_a_copy_is_similar_wherever_it_lies(speech: np.ndarray) -> None:
    inside = np.pad(-0.2 * speech, (3 * RATE, RATE))
    assert similarity(speech, inside) == pytest.approx(similarity(inside, speech), abs=1e-3)
    assert similarity(speech, inside) > 0.99
    assert similarity(speech, speech[::-1]) < 0.8


def test_the_shortest_and_the_quietest_have_fingerprints(speech: np.ndarray) -> None:
    for samples in (0, 1, 100, RATE // 4):
        keys, doubts, contexts = keys_of(speech[:samples])
        assert len(keys) == len(doubts) == len(contexts) <= MOST_KEYS
    assert len(keys_of(np.zeros(RATE, np.float32))[0]) == 0
    assert similarity(np.zeros(RATE, np.float32), speech) == 0.0


def test_processes_find_what_one_finds(monkeypatch, speech: np.ndarray, tmp_path) -> None:
    names = ("speech", "quieter", "absent")
    paths = pl.Series([str(tmp_path / f"{name}.wav") for name in names])
    soundfile.write(paths[0], speech, RATE)
    soundfile.write(paths[1], 0.5 * speech, RATE)
    alone = fingerprints(paths)
    monkeypatch.setattr(module, "WORTH_PROCESSES", 1)
    assert fingerprints(paths, workers=2).equals(alone)
    assert alone["recording"].is_null().to_list() == [False, False, True]
    assert alone["recording"].n_unique() == 3
    assert len(set(alone["keys"][0]) & set(alone["keys"][1])) > MOST_KEYS / 2
    assert alone.schema == pl.Schema(module.FINGERPRINT)
