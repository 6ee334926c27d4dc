"""The bar in a terminal counts epochs as the lines of the log do."""

from pathlib import Path

import pytorch_lightning as lightning
from pytorch_lightning.demos.boring_classes import BoringModel

from kaskad.runs.progress_bar import EpochBar, epoch_of_all


class Reader(lightning.Callback):
    """Reads what stands before the bar in each epoch."""

    def __init__(self, bar: EpochBar) -> None:
        self.bar = bar
        self.read: list[str] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        task = self.bar.train_progress_bar
        assert task is not None
        self.read += [f"{task.description.strip()} {epoch_of_all(trainer)}"]


def test_the_first_epoch_of_two_is_the_first_of_two(tmp_path: Path) -> None:
    bar = EpochBar()
    reader = Reader(bar)
    trainer = lightning.Trainer(
        callbacks=[bar, reader],
        max_epochs=2,
        limit_train_batches=1,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(BoringModel())
    assert reader.read == ["Epoch 1/2 1/2", "Epoch 2/2 2/2"]
    trainer.fit_loop.max_epochs = -1  # no limit
    assert "/" not in epoch_of_all(trainer)
