"""Checks measure what the net will be given."""

import numpy as np
import polars as pl
import pytest

from kaskad.corpora.manifest import read_manifest
from kaskad.data.checks import check_alignable, check_audio
from kaskad.text.characters import CharacterTokenizer


def test_durations_are_measured_not_believed(make_corpus) -> None:
    manifest = pl.DataFrame(
        {
            "id": ["0"],
            "path": [str(make_corpus(["Да!"], [0.5]).parent / "0.wav")],
            "text": ["Да!"],
            "duration": [99.0],
        }
    )
    usable, rest = check_audio(manifest, min_seconds=0.05, max_seconds=30)
    assert rest.is_empty()
    assert usable.select("text", "duration", "sample_rate", "channels").rows() == [
        ("да", 0.5, 16_000, 1)
    ]


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050])
def test_samples_survive_their_way_through_seconds(sample_rate: int) -> None:
    samples = np.arange(1, 50_000)
    manifest = pl.DataFrame({"path": "a.wav", "text": "", "duration": samples / sample_rate})
    asked = []

    def frames_of(count: np.ndarray) -> np.ndarray:
        asked.append(count)
        return count

    check_alignable(manifest, CharacterTokenizer(["a"]), frames_of, sample_rate)
    np.testing.assert_array_equal(asked[0], samples)


def test_a_test_may_have_utterances_without_a_word(make_corpus) -> None:
    manifest = read_manifest(make_corpus(["да", None, "…"]))
    limits = {"min_seconds": 0.05, "max_seconds": 30.0}
    assert check_audio(manifest, **limits)[0]["text"].to_list() == ["да"]
    kept, rest = check_audio(manifest, **limits, keep_empty=True)
    assert kept["text"].to_list() == ["да", "", ""]
    assert rest.is_empty()
