"""The embeddings of one epoch order the next, in a run as in one that was interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from kaskad.callbacks.embedding_order import EmbeddingOrder
from kaskad.commands.train import train
from kaskad.data.checks import DataError
from kaskad.models.recogniser import Recogniser

SETTINGS = [
    "data=table",
    "augment=none",
    "model.encoder={channels: [4, 4], hidden_size: 8, layers: 1}",
    "sampler=embedding_graph",
    "datamodule.workers=1",
    "datamodule.batch_seconds=6",
    "logger=csv",
    "trainer.log_every_n_steps=1",
    "trainer.max_epochs=3",
    "trainer.num_sanity_val_steps=0",
    "trainer.precision=32-true",
]


@pytest.fixture(scope="module")
def settings(tone_corpus: Path) -> list[str]:
    return [*SETTINGS, f"data.root={tone_corpus}"]


@pytest.fixture(scope="module")
def whole(compose, settings, tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train(compose("train", folder, *settings))
    return folder


def test_each_epoch_walks_through_the_embeddings_of_the_last(whole, tone_corpus: Path) -> None:
    folder = whole / "embeddings"
    assert {path.name for path in folder.iterdir()} == {
        *("embeddings-1.npy", "embeddings-2.npy"),
        *("walk-1.npy", "walk-2.npy", "walk-3.npy"),
    }
    manifest = pl.read_csv(tone_corpus / "manifest.csv").filter(split="train")
    embeddings = np.load(folder / "embeddings-2.npy")
    assert embeddings.shape[0] == manifest.height
    assert embeddings.any(axis=1).all()
    for epoch in (1, 2, 3):
        walk = np.load(folder / f"walk-{epoch}.npy")
        assert sorted(walk.tolist()) == [*range(manifest.height)]
    # Each clip is there eight times, and sounds the same to the net: the walk goes by clips.
    clips = manifest["path"].to_numpy()[walk]
    assert np.sum(clips[1:] != clips[:-1]) < 32  # of 63 steps; at random, 56


@pytest.fixture
def cut_off(compose, monkeypatch) -> Callable[..., None]:
    """Train until the power is cut: after ``method`` of ``owner``, where ``when`` is so."""

    def train_until(folder: Path, arguments: list[str], owner: type, method: str, when) -> None:
        intact = getattr(owner, method)

        def until(self: Any, *given: Any) -> None:
            intact(self, *given)
            if when(self, *given):
                raise RuntimeError("power cut")

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
            patch.setattr(owner, method, until)
            train(compose("train", folder, *arguments))

    return train_until


def assert_same_run(one: Path, other: Path) -> None:
    """The same losses, weights, embeddings and walks, to the bit."""
    assert losses(one).equals(losses(other))
    weights = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (one, other)
    ]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    for file in (one / "embeddings").iterdir():
        assert file.read_bytes() == (other / "embeddings" / file.name).read_bytes(), file.name


def losses(run: Path) -> pl.DataFrame:
    """The loss of each step, as it was written; of one that was taken twice, the second time."""
    logged = pl.read_csv(run / "csv" / "metrics.csv", infer_schema=False)
    taken = logged.drop_nulls("training/loss_step").unique("step", keep="last")
    return taken.select(pl.col("step").cast(pl.Int64), "training/loss_step").sort("step")


@pytest.mark.slow
def test_a_run_that_is_cut_off_again_and_again_ends_the_same(
    whole, settings, cut_off, compose, tmp_path: Path
) -> None:
    an_epoch = losses(whole).height // 3
    arguments = [*settings, "callbacks.last_checkpoint.every_n_steps=3"]
    # Within the first epoch; at the first step of the first walk; twice within one epoch; and at
    # the last step, when all embeddings but those of one batch are there.
    for step in (4, an_epoch, an_epoch + 5, an_epoch + 8, 3 * an_epoch - 1):
        cut_off(
            tmp_path,
            arguments,
            Recogniser,
            "on_before_optimizer_step",
            lambda module, *_, step=step: module.trainer.global_step == step,
        )
        arguments = [f"resume={tmp_path}"]
    train(compose("train", tmp_path, *arguments))
    assert_same_run(whole, tmp_path)


@pytest.mark.slow
def test_a_run_goes_on_from_the_checkpoint_before_the_last(
    whole, settings, cut_off, compose, tmp_path: Path
) -> None:
    # When the last epoch has its walk, and no checkpoint yet that tells of it.
    cut_off(
        tmp_path,
        settings,
        EmbeddingOrder,
        "on_train_epoch_end",
        lambda order, trainer, module: trainer.current_epoch == 2,
    )
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"")
    train(compose("train", tmp_path, f"resume={tmp_path}"))
    assert_same_run(whole, tmp_path)


def test_two_corpora_that_train_are_refused(compose, tone_corpus: Path, tmp_path: Path) -> None:
    other = "{_target_: kaskad.data.Corpus, role: train_ext, language: en, "
    other += "split: validation, manifest: '${data.source}'}"
    settings = [each for each in SETTINGS if not each.startswith("model.")]
    settings += ["model=cascade_lstm", f"+data.corpora.other={other}", f"data.root={tone_corpus}"]
    with pytest.raises(DataError, match="embedding_graph is for one process, one corpus that tra"):
        train(compose("train", tmp_path, *settings))
