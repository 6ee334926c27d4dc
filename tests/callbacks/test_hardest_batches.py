"""The hardest batches are tried before the first epoch, and leave no trace."""

from pathlib import Path

import pytest
import torch

from kaskad.commands.train import train
from kaskad.data.checks import DataError
from kaskad.models.encoders.cnn2d_lstm import CNN2dLSTM

# Dropout, masks over features and batch normalisation: all that a trial could leave a trace in.
SETTINGS = [
    "data=table",
    "augment=full",
    "model.encoder={channels: [4, 4], hidden_size: 8, layers: 1}",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=3",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
    "trainer.precision=32-true",
]
TARGET = "++callbacks.hardest_batches._target_=kaskad.callbacks.HardestBatches"


def test_a_trial_leaves_no_trace(compose, tone_corpus: Path, tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    weights = []
    for name, override in (("tried", TARGET), ("not", "++callbacks.hardest_batches=null")):
        (tmp_path / name).mkdir()
        settings = [*SETTINGS, f"data.root={tone_corpus}", override]
        train(compose("train", tmp_path / name, *settings))
        checkpoint = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        weights.append(checkpoint["state_dict"])
        assert ("the longest batch of corpus 'train' (4 utterances" in caplog.text) == (
            name == "tried"
        )
        assert ("the batch with the most characters" in caplog.text) == (name == "tried")
        caplog.clear()
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_too_little_memory_is_told_with_what_to_lower(
    compose, tone_corpus: Path, tmp_path: Path, monkeypatch
) -> None:
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    steps = []
    monkeypatch.setattr(CNN2dLSTM, "forward", fail)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *_: steps.append(1))
    for seconds, told in (
        (
            4,
            r"the longest batch of corpus 'train' \(4 utterances, 3\.\d s with padding, at most \d "
            r"characters\) does not fit into the memory; lower datamodule.batch_seconds \(now 4\)",
        ),
        (0.5, r"\(1 utterances, .*lower datamodule.max_seconds \(now 30.0\)"),
    ):
        settings = [*SETTINGS, f"data.root={tone_corpus}", TARGET, "augment=none"]
        settings += ["trainer.num_sanity_val_steps=0", f"datamodule.batch_seconds={seconds}"]
        with pytest.raises(DataError, match=told):
            train(compose("train", tmp_path, *settings))
    assert not steps
