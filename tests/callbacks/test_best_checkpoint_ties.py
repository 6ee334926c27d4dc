"""Among checkpoints that are equally good by their figure, the one with the lowest loss is kept."""

from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kaskad.callbacks.best_checkpoint import BestCheckpoint


class Validated(lightning.LightningModule):
    """Whose figures and losses of validation are given, epoch by epoch."""

    def __init__(self, figures: list[float], losses: list[float]) -> None:
        super().__init__()
        self.figures, self.losses = figures, losses
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return self.weight.sum()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.log("validation/wer", self.figures[self.current_epoch])
        self.log("validation/loss", self.losses[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def kept(figures: list[float], losses: list[float], folder: Path, **settings) -> float:
    """Train an epoch for each figure; the epoch whose checkpoint is kept."""
    callback = BestCheckpoint(dirpath=str(folder), monitor="validation/wer", mode="min", **settings)
    trainer = lightning.Trainer(
        max_epochs=len(figures),
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    loader = DataLoader([0])
    trainer.fit(Validated(figures, losses), loader, loader)
    assert [*folder.glob("*.ckpt")] == [Path(callback.best_model_path)]
    return torch.load(callback.best_model_path, weights_only=True)["epoch"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("figures", "losses", "epoch"),
    [
        ([0.3, 0.1, 0.2], [1.0, 0.9, 0.1], 1),  # the figure decides
        ([0.1, 0.1, 0.1], [0.3, 0.1, 0.2], 1),  # the loss, where figures are equal
        ([0.010, 0.011, 0.0115], [0.3, 0.2, 0.1], 2),  # or nearly so
        ([0.010, 0.0119, 0.0135], [0.3, 0.2, 0.1], 1),  # but steps do not add up
        ([0.013, 0.010, 0.0115], [0.1, 0.3, 0.2], 2),  # what no longer ties has no say
    ],
)
def test_of_a_tie_the_lowest_loss_is_kept(figures, losses, epoch: int, tmp_path: Path) -> None:
    assert kept(figures, losses, tmp_path, within=0.002) == epoch
