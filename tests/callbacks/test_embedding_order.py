"""The embeddings of one epoch order the next, in a run as in one that was interrupted."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kaskad.data.checks import DataError
from kaskad.training import train

SETTINGS = [
    "data=table",
    "augment=none",
    "model.encoder={channels: [4, 4], hidden_size: 8, layers: 1}",
    "sampler=embedding_graph",
    "++callbacks.embedding_order._target_=kaskad.callbacks.embedding_order.EmbeddingOrder",
    "loader.workers=1",
    "loader.batch_seconds=6",
    "trainer.max_epochs=3",
    "trainer.num_sanity_val_steps=0",
    "trainer.precision=32-true",
    "trainer.enable_progress_bar=false",
    "trainer.enable_model_summary=false",
    "disk_reserve=0.1",
]


def test_each_epoch_walks_through_the_embeddings_of_the_last(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    train(compose("train", tmp_path, *SETTINGS, f"data.root={tone_corpus}"))
    folder = tmp_path / "embeddings"
    assert {path.name for path in folder.iterdir()} == {
        *("embeddings-2.npy", "graph-2.usearch", "walk-2.npy", "walk-3.npy"),
    }
    manifest = pl.read_csv(tone_corpus / "manifest.csv").filter(split="train")
    embeddings = np.load(folder / "embeddings-2.npy")
    assert embeddings.shape[0] == manifest.height
    assert embeddings.any(axis=1).all()
    for epoch in (2, 3):
        walk = np.load(folder / f"walk-{epoch}.npy")
        assert sorted(walk.tolist()) == [*range(manifest.height)]
    # Each clip is there eight times, and sounds the same to the net: the walk goes by clips.
    clips = manifest["path"].to_numpy()[walk]
    assert np.sum(clips[1:] != clips[:-1]) < 32  # of 63 steps; at random, 56


def test_two_corpora_that_train_are_refused(compose, tone_corpus: Path, tmp_path: Path) -> None:
    other = "{_target_: kaskad.data.corpus.Corpus, role: train_ext, language: en, "
    other += "split: validation, manifest: '${data.source}'}"
    settings = [each for each in SETTINGS if not each.startswith("model.")]
    settings += ["model=cascade_lstm", f"+data.corpora.other={other}", f"data.root={tone_corpus}"]
    with pytest.raises(DataError, match="embedding_graph is for one process, one corpus that tra"):
        train(compose("train", tmp_path, *settings))
