"""Several checkpoints that decode as one, in transcribe and evaluate."""

from pathlib import Path

import polars as pl
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.evaluate import evaluate
from kaskad.commands.transcribe import transcribe
from kaskad.config.messages import ConfigurationError
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.models.ensemble import load_ensemble, vote
from kaskad.runs.checkpoints import CheckpointError

ALONE = ["datamodule.workers=0", "datamodule.cache=null", "trainer.enable_progress_bar=false"]


@pytest.fixture
def always(compose, tmp_path: Path):
    """Make the checkpoint of a recogniser that outputs one letter for everything, by its biases."""

    def make(name: str, biases: list[float], alphabet: str = "['a','b']", *overrides: str) -> str:
        tiny = ["model=lstm", "model.encoder.hidden_size=2", "model.encoder.layers=1"]
        labels = f"tokenizer.alphabet={alphabet}"
        table = ["data=table", f"data.root={tmp_path}", "data.language=en"]
        config = compose("train", tmp_path, *table, *tiny, labels, *overrides)
        recogniser = instantiate(config.model)
        recogniser.head.weight.data.zero_()
        recogniser.head.bias.data = torch.tensor(biases)
        path = tmp_path / f"{name}.ckpt"
        resolved = OmegaConf.to_container(config, resolve=True)
        torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
        return str(path)

    return make


@pytest.fixture
def three(always) -> list[str]:
    """One is very sure of a, two are a little surer of b than of a."""
    return [
        always("one", [0.0, 6.0, 0.0]),
        always("two", [0.0, 1.0, 1.5]),
        always("three", [0.0, 1.0, 1.6]),
    ]


@pytest.mark.parametrize(("combine", "expected"), [("posteriors", "a"), ("rover", "b")])
def test_an_ensemble_transcribes_and_is_tested_as_one(
    combine: str, expected: str, three: list[str], make_corpus, compose, tmp_path: Path
) -> None:
    make_corpus([expected, expected], split=["test", "test"])
    together = [f"checkpoint=[{','.join(three)}]", f"combine={combine}"]
    output = tmp_path / "out.csv"
    inputs = [f"input={tmp_path / '0.wav'}", f"output={output}"]
    (tmp_path / "test").mkdir()
    transcribe(compose("transcribe", tmp_path, *together, *inputs))
    assert pl.read_csv(output)["text"].to_list() == [expected]
    corpus = ["data=table", f"data.root={tmp_path}", "data.language=en"]
    figures = evaluate(compose("evaluate", tmp_path / "test", *together, *corpus, *ALONE))
    assert figures["test/wer"] == 0.0


def test_what_cannot_decode_as_one_is_refused_in_a_sentence(always, tmp_path: Path) -> None:
    one = always("one", [0.0, 1.0, 0.0])
    other = always("other", [0.0, 1.0, 0.0], "['a','c']")
    slower = always("slower", [0.0, 1.0, 0.0], "['a','b']", "model.encoder.time_reduction=4")
    with pytest.raises(CheckpointError, match="two alphabets; they differ in 'b', 'c'"):
        load_ensemble([one, other], "rover")
    with pytest.raises(CheckpointError, match="s apart; combine=rover does not mind"):
        load_ensemble([one, slower], "posteriors")
    load_ensemble([one, slower], "rover")
    with pytest.raises(ConfigurationError, match="say how they decode as one"):
        load_ensemble([one, other], None)
    with pytest.raises(ConfigurationError, match="is for several checkpoints"):
        load_ensemble(one, "rover")
    with pytest.raises(ConfigurationError, match="there is no such way"):
        load_ensemble([one, other], "vote")


def test_words_of_a_vote_keep_times_and_share_their_confidence() -> None:
    first = [Word("one", 0.0, 0.3, 0.9), Word("two", 0.3, 0.6, 0.9)]
    second = [Word("one", 0.1, 0.3, 0.6), Word("too", 0.3, 0.6, 0.5)]
    third = [Word("two", 0.4, 0.7, 0.6)]
    hypotheses = [
        Hypothesis(" ".join(word.text for word in words), -1.0, words)
        for words in (first, second, third)
    ]
    found = vote(hypotheses)
    assert found.text == "one two"
    assert found.words == [
        Word("one", 0.0, 0.3, pytest.approx(0.5)),
        Word("two", 0.3, 0.6, pytest.approx(0.5)),
    ]
    assert vote([Hypothesis("", 0.0), Hypothesis("", 0.0)]).text == ""
