"""A model that streams, tested in streaming mode and listening to what is played."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.evaluate import evaluate
from kaskad.commands.transcribe import transcribe
from kaskad.config.messages import ConfigurationError
from kaskad.models.streaming import StreamingError
from kaskad.transcripts.live import MicrophoneError

STREAMING = ["model.encoder.bidirectional=false", "features.normalise=running"]
ALONE = ["datamodule.workers=0", "datamodule.cache=null", "trainer.enable_progress_bar=false"]


@pytest.fixture
def always(compose, tmp_path: Path):
    """Make the checkpoint of a recogniser that outputs "а" for everything."""

    def make(*settings: str) -> Path:
        alphabet = "tokenizer.alphabet=['а','б']"
        overrides = ["data=table", "data.root=.", "model=lstm", alphabet, *settings]
        config = compose("train", tmp_path, *overrides)
        recogniser = instantiate(config.model)
        recogniser.head.weight.data.zero_()
        recogniser.head.bias.data = torch.tensor([0.0, 9.0, 0.0])
        resolved = OmegaConf.to_container(config, resolve=True)
        path = tmp_path / "a.ckpt"
        torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
        return path

    return make


def test_a_test_in_streaming_mode_gives_the_same(
    always, compose, make_corpus, tmp_path: Path
) -> None:
    table = make_corpus(["а", "б", "а"], [0.3, 0.7, 0.5], split=["test"] * 3)
    overrides = [
        f"checkpoint={always(*STREAMING)}",
        "data=table",
        f"data.root={table.parent}",
        "data.corpora={test: {role: test}}",
        *ALONE,
    ]
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = evaluate(compose("evaluate", tmp_path / "whole", *overrides))
    chunked = evaluate(compose("evaluate", tmp_path / "parts", *overrides, "streaming.chunk=777"))
    assert chunked["test/wer"] == whole["test/wer"] == pytest.approx(1 / 3)
    title = (tmp_path / "parts" / "report.json").read_text()
    assert "in chunks of 777 samples" in title


def test_a_model_that_cannot_stream_is_refused_before_the_corpus_is_read(
    always, compose, tmp_path: Path
) -> None:
    overrides = [f"checkpoint={always()}", "data=table", f"data.root={tmp_path / 'nowhere'}"]
    for chunk, reason in ((777, "features.normalise=running"), (0, "streaming.chunk=0")):
        with pytest.raises(StreamingError, match=reason):
            evaluate(compose("evaluate", tmp_path, *overrides, *ALONE, f"streaming.chunk={chunk}"))


def test_a_file_is_transcribed_as_it_is_played(
    always, compose, write_tone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [f"checkpoint={always(*STREAMING)}", f"input={write_tone('a.flac', 0.5)}"]
    output = tmp_path / "out.srt"
    transcribe(compose("transcribe", tmp_path, *overrides, "source=live", f"output={output}"))
    assert capsys.readouterr().out.split() == ["0.00", "а"]
    assert output.read_text().splitlines()[2] == "а"


def test_what_cannot_be_listened_to_is_named(
    always, compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    whole = f"checkpoint={always()}"
    with pytest.raises(StreamingError):
        transcribe(compose("transcribe", tmp_path, whole, "source=live", "input=/no/such.wav"))
    streaming = f"checkpoint={always(*STREAMING)}"
    with pytest.raises(MicrophoneError, match="pip install sounddevice"):
        transcribe(compose("transcribe", tmp_path, streaming, "source=microphone"))
    with pytest.raises(ConfigurationError, match="files, live, microphone"):
        transcribe(compose("transcribe", tmp_path, streaming, "source=ear"))
    with pytest.raises(ConfigurationError, match="no value yet for input"):
        transcribe(compose("transcribe", tmp_path, streaming))
