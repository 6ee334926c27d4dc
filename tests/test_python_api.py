"""What the README promises from Python: load, transcribe, train."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

import kaskad
from kaskad.audio.files import AudioError
from kaskad.config.messages import ConfigurationError
from kaskad.models.recogniser import Recogniser


@pytest.fixture(scope="module")
def trained(tone_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run trained on the words of the tones, trained from Python."""
    folder = tmp_path_factory.mktemp("runs") / "tones"
    figures = kaskad.train(
        [
            "model=cnn2d_lstm",
            "model.encoder.hidden_size=64",
            "model.encoder.layers=1",
            "model.encoder.channels=[8,8]",
            "model.encoder.dropout=0.0",
            "data=table",
            f"data.root={tone_corpus}",
            "data.language=ru",
            "overlap=none",
            "augment=none",
            "logger=csv",
            "trainer.max_epochs=15",
            "trainer.precision=32-true",
            "trainer.enable_progress_bar=false",
            "trainer.enable_model_summary=false",
            "datamodule.workers=0",
            "datamodule.batch_seconds=4",
            "datamodule.cache=null",
            "optimizer.lr=0.01",
            "decoder.pause=null",
            "disk_reserve=0.1",
            f"hydra.run.dir={folder}",
        ]
    )
    assert figures["test/wer"] < 0.2
    assert (folder / "train.log").is_file()
    return folder


@pytest.fixture(scope="module")
def recogniser(trained: Path) -> Recogniser:
    return kaskad.load(trained)


@pytest.fixture(scope="module")
def clip(tone_corpus: Path) -> np.ndarray:
    return soundfile.read(tone_corpus / "1.wav", dtype="float32")[0]


def test_a_file_and_its_samples_have_the_same_words_with_times(
    recogniser: Recogniser, tone_corpus: Path, clip: np.ndarray
) -> None:
    hypothesis = recogniser.transcribe(str(tone_corpus / "1.wav"))
    assert hypothesis.text == "два"
    (word,) = hypothesis.words
    assert 0 <= word.start < word.end <= len(clip) / 16_000 + 0.1
    assert 0 <= word.confidence <= 1
    same = [tone_corpus / "1.wav", clip, torch.from_numpy(clip), clip.astype(np.float64)]
    same += [(clip * 32767).astype(np.int16), np.stack([clip, clip], axis=1)]
    assert [each.text for each in recogniser.transcribe(same)] == ["два"] * len(same)


def test_another_rate_is_resampled_when_it_is_given(
    recogniser: Recogniser, clip: np.ndarray
) -> None:
    faster = soxr.resample(clip, 16_000, 32_000)
    assert recogniser.transcribe(faster, sample_rate=32_000).text == "два"


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(0, np.float32), None, "there are no samples"),
        (np.full(16_000, np.nan, np.float32), None, "not finite"),
        (np.zeros((2, 16_000), np.float32), None, r"shape \(2, 16000\).*transpose"),
        (np.full(16_000, 20_000.0), None, "floats go from -1 to 1"),
        (np.zeros(16_000, np.float32), 0, "sample_rate=0"),
        (np.array(["a"]), None, "no audio"),
        ({"array": [0.0]}, None, "dict is no audio"),
        ([[0.0, 0.1]], None, "list is no audio"),
        ("nowhere.wav", None, "nowhere.wav"),
    ],
)
def test_what_is_no_audio_is_refused_by_name(
    recogniser: Recogniser, audio: object, rate: int | None, message: str
) -> None:
    with pytest.raises((AudioError, OSError), match=message):
        recogniser.transcribe(audio, sample_rate=rate)  # type: ignore[call-overload]


def test_a_list_of_nothing_has_no_hypotheses(recogniser: Recogniser) -> None:
    assert recogniser.transcribe([]) == []


def test_a_mistake_is_reported_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="takes no hiden_size; did you mean hidden_size"):
        kaskad.train(
            ["model=lstm", "+model.encoder.hiden_size=3", f"hydra.run.dir={tmp_path / 'run'}"]
        )
