"""Beside each of the worst utterances stand those of training that sound like it to the net."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.evaluate import evaluate
from kaskad.commands.train import train
from kaskad.evaluation.nearest import _Embedder
from kaskad.models.ctc import CTCRecogniser

SMALL = "model.encoder={channels: [4, 4], hidden_size: 8, layers: 1}"
ALPHABET = "tokenizer.alphabet=['о','д','и','н']"
COPIES = 8  # of each clip of the tests, in the training part of tone_corpus


@pytest.fixture
def make_checkpoint(compose, tmp_path: Path) -> Callable[..., Path]:
    """Write the checkpoint of an untrained net, so that all its hypotheses are wrong."""

    def make(seed: int, *overrides: str) -> Path:
        torch.manual_seed(seed)
        config = compose("train", tmp_path, "data=table", "data.root=.", ALPHABET, *overrides)
        recogniser = instantiate(config.model)
        resolved = OmegaConf.to_container(config, resolve=True)
        path = tmp_path / f"{seed}.ckpt"
        torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
        return path

    return make


@pytest.fixture
def test(compose, tone_corpus: Path, tmp_path: Path):
    """Test a checkpoint in a folder of this name; returns the folder."""

    def run(name: str, checkpoint: Path, *overrides: str) -> Path:
        settings = ["data=table", "datamodule.workers=0", "trainer.enable_progress_bar=false"]
        if not any(override.startswith("data.root=") for override in overrides):
            settings.append(f"data.root={tone_corpus}")
        settings += [f"checkpoint={checkpoint}", f"datamodule.cache={tmp_path / 'cache'}"]
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        evaluate(compose("evaluate", folder, *settings, *overrides))
        return folder

    return run


def nearest(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "tables" / "nearest.csv")


def test_a_copy_in_training_is_the_nearest(make_checkpoint, test, tone_corpus: Path) -> None:
    folder = test("run", make_checkpoint(0, SMALL), f"nearest={COPIES + 1}")
    manifest = pl.read_csv(tone_corpus / "manifest.csv").select("id", "path", "text", "split")
    found = nearest(folder).join(manifest.filter(split="test"), on="id")
    assert found["id"].n_unique() == 8
    for _, rows in found.group_by("id"):
        told = rows.select(pl.col("train_path").str.split("/").list.last(), "similarity", "path")
        paths, similarities, own = (told[column].to_list() for column in told.columns)
        assert paths[:COPIES] == own[:COPIES] and paths[COPIES] != own[COPIES]
        assert similarities[:COPIES] == pytest.approx([1.0] * COPIES, abs=2e-3)
        assert similarities == sorted(similarities, reverse=True)
    texts = dict(manifest.filter(split="train").select("id", "text").rows())
    assert [texts[id_] for id_ in found["train_id"]] == found["train_text"].to_list()
    page = (folder / "report.html").read_text()
    assert page.count("same as the reference") >= 8 * COPIES
    assert page.count("<audio") == 8 + 8 * (COPIES + 1)
    report = json.loads((folder / "report.json").read_text())["corpora"]["test"]
    assert report["tables"]["nearest"]["train_id"] == found["train_id"].to_list()


@pytest.mark.slow
def test_the_test_after_training_finds_what_evaluate_finds(
    compose, test, tone_corpus, tmp_path, monkeypatch
) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    settings = ["data=table", f"data.root={tone_corpus}", SMALL, "trainer.max_epochs=1"]
    settings += ["datamodule.workers=0", f"datamodule.cache={tmp_path / 'cache'}"]
    train(compose("train", trained, *settings, "nearest=2"))
    embedded, embed = list[int](), _Embedder.embed

    def counted(embedder: _Embedder, rows: pl.DataFrame, embeddings: np.ndarray) -> list:
        embedded.append(rows.height)
        return embed(embedder, rows, embeddings)

    monkeypatch.setattr(_Embedder, "embed", counted)
    tested = test("tested", trained / "checkpoints" / "best.ckpt", "nearest=2")
    assert nearest(trained).height == 2 * 8
    assert embedded == [8]  # those of the test; the others are kept
    assert nearest(tested).equals(nearest(trained))


def test_one_that_is_wrong_has_its_nearest(make_checkpoint, test, tone_corpus, tmp_path) -> None:
    corpus = shutil.copytree(tone_corpus, tmp_path / "corpus")
    manifest = pl.read_csv(corpus / "manifest.csv")
    is_left = (pl.col("split") != "test") | pl.col("id").str.ends_with("-3")
    manifest.filter(is_left).write_csv(corpus / "manifest.csv")
    folder = test("run", make_checkpoint(0, SMALL), f"data.root={corpus}", "nearest=1")
    (found,) = nearest(folder).to_dicts()
    assert found["train_path"] == str(corpus / "3.wav")


def test_nothing_is_looked_for_unless_asked(make_checkpoint, test) -> None:
    folder = test("run", make_checkpoint(0, SMALL))
    assert not (folder / "tables" / "nearest.csv").exists()
    assert "nearest in the training part" not in (folder / "report.html").read_text()


def test_a_full_disk_costs_the_nearest_and_no_report(
    make_checkpoint, test, monkeypatch, caplog
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kaskad.evaluation.nearest.open_embeddings", full)
    folder = test("run", make_checkpoint(0, SMALL), "nearest=2")
    assert (folder / "report.html").exists()
    assert not (folder / "tables" / "nearest.csv").exists()
    assert "nearest=2: left out: [Errno 28] No space left on device" in caplog.text


def test_fewer_than_none_are_refused(make_checkpoint, test) -> None:
    with pytest.raises(ValueError, match="nearest=-1"):
        test("run", make_checkpoint(0, SMALL), "nearest=-1")


@pytest.mark.slow
def test_training_is_read_once_for_each_net(make_checkpoint, test, monkeypatch) -> None:
    tested = 8  # by the test itself, before any embedding
    posteriors, seen, most = CTCRecogniser.posteriors, list[str](), tested + 20

    def counted(recogniser, batch):
        if len(seen) == most:
            raise KeyboardInterrupt
        seen.extend(batch.ids)
        return posteriors(recogniser, batch)

    def count_seen(folder: str, seed: int) -> int:
        seen.clear()
        test(folder, make_checkpoint(seed, SMALL), "nearest=2", "datamodule.max_utterances=4")
        return len(seen) - tested

    monkeypatch.setattr(CTCRecogniser, "posteriors", counted)
    with pytest.raises(KeyboardInterrupt):
        count_seen("cut", 0)
    most = 1_000
    assert count_seen("first", 0) == 64 - 20 + 8  # and the worst of the test
    assert count_seen("again", 0) == 8
    assert nearest(test("again", make_checkpoint(0, SMALL), "nearest=2")).height == 16
    assert count_seen("other", 1) == 64 + 8


def test_what_cannot_be_read_is_nobodys_nearest(
    make_checkpoint, test, tone_corpus, tmp_path, caplog
):
    corpus = tmp_path / "corpus"
    shutil.copytree(tone_corpus, corpus)
    spoilt = np.full(16_000, np.nan, dtype=np.float32)
    soundfile.write(corpus / "spoilt.wav", spoilt, 16_000, subtype="FLOAT")
    manifest = pl.read_csv(corpus / "manifest.csv")
    is_spoilt = (pl.col("split") == "train") & pl.col("id").str.starts_with("0-")
    manifest.with_columns(
        path=pl.when(is_spoilt).then(pl.lit("spoilt.wav")).otherwise("path")
    ).write_csv(corpus / "manifest.csv")
    folder = test("run", make_checkpoint(0, SMALL), f"data.root={corpus}", f"nearest={COPIES}")
    assert nearest(folder).height == 8 * COPIES
    assert not nearest(folder)["train_id"].str.starts_with("0-").any()
    assert "8 of 64 training utterances have no embedding" in caplog.text
    assert "spoilt.wav: holds samples that are not finite" in caplog.text


@pytest.mark.parametrize("why", ["a Seq2SeqRecogniser", "no training utterance has an embedding"])
def test_the_report_is_written_without_any(why, make_checkpoint, test, caplog, monkeypatch) -> None:
    if "Seq2Seq" in why:
        checkpoint = make_checkpoint(0, "model=seq2seq_gru")
    else:
        checkpoint = make_checkpoint(0, SMALL)
        content = torch.load(checkpoint, weights_only=True)
        for name, weights in content["state_dict"].items():
            if name.startswith("encoder.lstm."):
                weights.fill_(torch.nan)
        torch.save(content, checkpoint)
    with caplog.at_level(logging.WARNING):
        folder = test("run", checkpoint, "nearest=3")
    assert "nearest=3: left out" in caplog.text and why in caplog.text
    assert (folder / "report.html").exists()
    assert not (folder / "tables" / "nearest.csv").exists()
