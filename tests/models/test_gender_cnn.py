"""Women and men are told apart by the walk that everything takes: train, report, evaluate."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch

from kaskad.commands.evaluate import evaluate
from kaskad.commands.train import train
from kaskad.data.checks import DataError

SMALL = [
    "model=gender_cnn",
    "data=table",
    "augment=none",
    "model.encoder.channels=[8, 8]",
    "model.encoder.dropout=0.0",
    "trainer.precision=32-true",
    "trainer.num_sanity_val_steps=0",
    "trainer.max_epochs=5",
    "datamodule.workers=0",
    "datamodule.batch_seconds=8",
    "optimizer.lr=0.01",
]


@pytest.fixture(scope="module")
def corpus(tone_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones; of the female training clips one in four, and one whose gender nobody knows."""
    manifest = pl.read_csv(tone_corpus / "manifest.csv").with_columns(
        path=pl.lit(f"{tone_corpus}/") + pl.col("path"),
        gender=pl.when(pl.col("id") == "0-0").then(pl.lit("?")).otherwise("gender"),
    )
    rare = manifest.filter((pl.col("split") == "train") & (pl.col("gender") == "female"))
    manifest = manifest.join(rare.head(24), on="id", how="anti")
    table = tmp_path_factory.mktemp("genders") / "manifest.csv"
    manifest.write_csv(table)
    return table


@pytest.fixture(scope="module")
def run(compose, corpus: Path, tone_corpus: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    overrides = [*SMALL, f"data.root={corpus}", f"data.audio_root={tone_corpus}"]
    train(compose("train", folder, *overrides))
    return folder


def test_a_run_is_measured_by_its_balanced_accuracy(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert set(report["training"]["best"]) == {"validation/balanced_error"}
    test = report["corpora"]["test"]
    assert test["figures"]["balanced_accuracy"] == 1.0
    assert test["confusions"] == {"female": {"female": 4}, "male": {"male": 4}}
    assert "wer" not in test["figures"]
    assert "accuracy of women" in (run / "report.html").read_text()


def test_a_row_without_a_known_gender_is_set_aside_and_named(run: Path) -> None:
    (skipped,) = pl.read_csv(run / "skipped.csv").to_dicts()
    assert (skipped["corpus"], skipped["id"]) == ("train", "0-0")
    reason = "0.wav: the gender is missing, or neither female nor male: '?'"
    assert skipped["reason"].endswith(reason)


def test_both_genders_weigh_the_same_in_the_loss(run: Path) -> None:
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["config"]["model"]["tokenizer"]["alphabet"] == ["female", "male"]
    weights = checkpoint["state_dict"]["class_weights"]
    torch.testing.assert_close(weights * torch.tensor([8, 31]), torch.tensor([39 / 2, 39 / 2]))


def test_a_checkpoint_is_evaluated_on_the_genders_of_another_corpus(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    manifest = pl.read_csv(tone_corpus / "manifest.csv")
    swapped = manifest.with_columns(pl.col("gender").replace({"male": "F", "female": "муж."}))
    swapped.write_csv(tone_corpus / "swapped.csv")
    overrides = [f"checkpoint={run}", "data=table", f"data.root={tone_corpus / 'swapped.csv'}"]
    figures = evaluate(compose("evaluate", tmp_path, *overrides, "datamodule.workers=0"))
    assert figures["test/balanced_accuracy"] == 0.0


@pytest.mark.parametrize(
    ("genders", "overrides", "message"),
    [
        (None, [], "no column 'gender', which this model recognises, only path, text, split"),
        (["m", "m", "m"], [], r"the training utterances are male \(1\)"),
        (["m", "f", "f"], [], r"the training utterances are male \(1\)"),
        (["m", None, "f"], ["datamodule.max_skipped=0.2"], "1 of 1 .*the gender is missing"),
        (["f", "m", "m"], ["tokenizer=characters"], "the training utterances are female"),
    ],
)
def test_what_cannot_be_distinguished_is_refused_before_training(
    compose, make_corpus, tmp_path: Path, genders, overrides: list[str], message: str
) -> None:
    columns = {"split": ["train", "validation", "test"]}
    manifest = make_corpus(["да"] * 3, **columns, **({"gender": genders} if genders else {}))
    settings = [*SMALL, f"data.root={manifest}", *overrides]
    with pytest.raises(DataError, match=message):
        train(compose("train", tmp_path, *settings))
    assert not (tmp_path / "checkpoints").exists()
