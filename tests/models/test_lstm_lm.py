"""A language model takes the walk that everything takes, and reads no audio on it."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
import torch
from hydra.utils import instantiate

from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.data.checks import DataError
from kaskad.models.language_model import LanguageModel
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.trusted_parts import load_model

SMALL = [
    "model=lstm_lm",
    "data=table",
    "data.language=ru",
    "optimizer.lr=0.01",
    "model.net.hidden_size=48",
    "model.net.layers=1",
    "model.net.dropout=0.0",
    "datamodule.max_sentences=8",
    "trainer.max_epochs=30",
    "trainer.precision=32-true",
    "logger=csv",
]
# Said in a circle: each word tells the next.
CIRCLE = ["один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь"]


def counting(start: int, words: int) -> str:
    return " ".join(CIRCLE[(start + n) % len(CIRCLE)] for n in range(words))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of transcripts, of one test sentence in training as well; there is no audio."""
    sentences = {
        "train": [counting(n, length) for n in range(8) for length in (3, 5)] + [counting(0, 4)],
        "validation": [counting(n, 6) for n in range(8)],
        "test": [counting(n, 4) for n in range(8)],
    }
    rows = [
        {"path": f"{split}{n}.wav", "text": text.capitalize(), "split": split}
        for split, texts in sentences.items()
        for n, text in enumerate(texts)
    ]
    table = tmp_path_factory.mktemp("circle") / "manifest.csv"
    pl.DataFrame(rows).write_csv(table)
    return table


@pytest.fixture(scope="module")
def run(compose, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(compose("train", folder, *SMALL, f"data.root={corpus}"))
    return folder


def test_a_language_model_learns_what_follows_what(run: Path) -> None:
    report = json.loads((run / "report.json").read_text("utf-8"))
    assert report["text"]["removed"] == {"test": 1, "validation": 0}
    assert report["text"]["sentences"] == 16
    test = report["corpora"]["test"]["figures"]
    # The first word is one of eight, and of where a sentence ends there is no more to know.
    assert 1.0 < test["perplexity"] < 4.0
    assert 1.0 < test["perplexity_per_label"] < 1.5
    assert test["out_of_vocabulary_rate"] == 0.0
    assert set(report["training"]["best"]) == {"validation/perplexity"}


def test_perplexity_is_that_of_words_and_ends(run: Path) -> None:
    model, trained = load_model(run / "checkpoints" / "best.ckpt")
    assert trained["tokenizer"]["alphabet"] == sorted(set("".join(CIRCLE)) | {" "})
    texts = [counting(n, 4) for n in range(8)]
    expected = math.exp(-sum(model.log_probabilities(texts)) / (8 * 4 + 8))
    report = json.loads((run / "report.json").read_text("utf-8"))
    assert report["corpora"]["test"]["figures"]["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_padding_never_changes_a_probability(run: Path) -> None:
    model, _ = load_model(run / "checkpoints" / "best.ckpt")
    texts = ["", "д", counting(2, 3), counting(5, 8)]
    together = model.log_probabilities(texts)
    alone = [model.log_probabilities([text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-4)
    assert len(set(together)) == len(texts)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    run: Path, compose, corpus: Path, tmp_path: Path, cut_off
) -> None:
    config = compose("train", tmp_path, *SMALL, f"data.root={corpus}")
    cut_off(LanguageModel, 20, lambda: train(config))
    train(compose("train", tmp_path, f"resume={tmp_path}"))
    for name in ("last.ckpt", "best.ckpt"):
        whole, resumed = (
            torch.load(folder / "checkpoints" / name, weights_only=True)
            for folder in (run, tmp_path)
        )
        assert whole["global_step"] == resumed["global_step"]
        torch.testing.assert_close(whole["state_dict"], resumed["state_dict"], rtol=0, atol=0)


def test_a_language_model_is_no_recogniser(run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a LanguageModel, .* serves as decoder.rescore="):
        load_recogniser(run)


def test_text_files_are_trained_on_and_unknown_words_counted(
    compose, corpus: Path, tmp_path: Path
) -> None:
    text = tmp_path / "more.txt"
    text.write_text("Раз, два!\nПять, шесть.\n", encoding="utf-8")
    table = pl.read_csv(corpus).filter(pl.col("split") != "train")
    table.write_csv(tmp_path / "tested.csv")
    overrides = [
        f"data.root={tmp_path / 'tested.csv'}",
        f"datamodule.text=[{text}]",
        "tokenizer=words",
    ]
    figures = train(compose("train", tmp_path, *SMALL, *overrides, "debug=fast"))
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["text"]["words"] == 4
    assert report["tokenizer"]["labels"] == 5
    # Of the eight words of the circle there are labels for two, пять and шесть, and for два.
    assert figures["test/out_of_vocabulary_rate"] == pytest.approx(5 / 8)


@pytest.mark.parametrize(
    ("split", "overrides", "error", "message"),
    [
        ("validation", [], DataError, "no corpus with the role 'validation' has a transcript"),
        ("train", [], ValueError, r"train.py: datamodule.text="),
        ("", ["datamodule=speech"], ConfigurationError, "datamodule=text"),
        ("", ["init_from=runs"], ConfigurationError, "a language model cannot start from"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    compose, corpus: Path, tmp_path: Path, split, overrides, error, message
) -> None:
    table = pl.read_csv(corpus)
    silent = pl.when(pl.col("split") == split).then(pl.lit("")).otherwise("text").alias("text")
    table.with_columns(silent).write_csv(tmp_path / "manifest.csv")
    settings = [each for each in SMALL if not (overrides and each.startswith("datamodule."))]
    with pytest.raises(error, match=message):
        train(compose("train", tmp_path, *settings, f"data.root={tmp_path}", *overrides))


def test_a_net_without_a_sentence_gives_no_probability() -> None:
    """As where a run has more processes than a batch has sentences."""
    net = instantiate({"_target_": "kaskad.models.LSTMLanguageModel", "size": 5, "hidden_size": 4})
    none = torch.zeros(0, dtype=torch.long)
    assert net(torch.zeros(0, 1, dtype=torch.long), none).shape == (0, 2, 5)
