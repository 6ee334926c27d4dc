"""What is frozen stays as it is to the bit; what is released learns; all by configuration."""

from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from hydra.utils import instantiate

from kaskad.callbacks.freezing import Freezing
from kaskad.models.training_data import fit_tokenizer, load_data

FRONT = "encoder.convolutions."
SMALL = [
    "data=table",
    "augment=none",
    "callbacks=freezing",
    "datamodule.workers=0",
    "datamodule.batch_seconds=10",
    "optimizer.lr=0.01",
    "optimizer.weight_decay=0.1",
    "model.encoder.hidden_size=8",
    "model.encoder.layers=1",
    "model.encoder.channels=[4,4]",
]


class Weights(lightning.Callback):
    """All weights and statistics, before the first epoch and after each."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, torch.Tensor]] = []

    def on_train_start(self, trainer, module) -> None:
        self._keep(module)

    def on_train_epoch_end(self, trainer, module) -> None:
        self._keep(module)

    def _keep(self, module) -> None:
        self.epochs.append({name: w.clone() for name, w in module.state_dict().items()})

    def moved(self, epoch: int) -> set[str]:
        before, after = self.epochs[epoch : epoch + 2]
        return {name for name in after if not torch.equal(before[name], after[name])}


@pytest.fixture
def fit(compose, tone_corpus: Path, tmp_path: Path):
    """Train three epochs on tones; returns what the weights were after each."""

    def fit_three_epochs(*overrides: str) -> Weights:
        overrides = (*SMALL, f"data.root={tone_corpus}", *overrides)
        config = compose("train", tmp_path, *overrides)
        torch.manual_seed(0)
        data = load_data(config)
        fit_tokenizer(config, data)
        recogniser = instantiate(config.model)
        data.connect(recogniser.tokenizer)
        weights = Weights()
        trainer = lightning.Trainer(
            max_epochs=3,
            accelerator="cpu",
            callbacks=[weights, instantiate(config.callbacks.freezing)],
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
        )
        trainer.fit(recogniser, datamodule=data)
        return weights

    return fit_three_epochs


def of_front(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith(FRONT)}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_front_is_frozen_for_two_epochs_then_released(fit, optimizer: str) -> None:
    weights = fit(f"optimizer={optimizer}", "callbacks.freezing.epochs=2")
    front = of_front(set(weights.epochs[0]))
    assert of_front(weights.moved(0)) == of_front(weights.moved(1)) == set()
    assert of_front(weights.moved(2)) == front
    assert any("running_mean" in name for name in front)
    assert all({"head.weight", "head.bias"} <= weights.moved(epoch) for epoch in range(3))


def test_a_trunk_can_stay_frozen_for_good(fit) -> None:
    weights = fit("callbacks.freezing.modules=[encoder]", "callbacks.freezing.epochs=null")
    moved = set().union(*(weights.moved(epoch) for epoch in range(3)))
    assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    "modules, told",
    [
        ("[encoder.convolution]", r"no module 'encoder\.convolution'; did you mean encoder\.conv"),
        ("[front]", r"no module 'front'.* It has encoder, encoder\.convolutions, encoder\.lstm"),
        ("[encoder,head]", "leaves nothing to train"),
    ],
)
def test_what_cannot_be_frozen_is_said_before_training(fit, modules: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fit(f"callbacks.freezing.modules={modules}")


def test_frozen_for_no_epoch_is_not_frozen(fit) -> None:
    assert of_front(fit("callbacks.freezing.epochs=0").moved(0))


def test_a_run_that_goes_on_later_is_frozen_as_before() -> None:
    callback, module = Freezing(["0"], epochs=2), torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    trainer = lightning.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    for epoch, frozen in ((1, True), (2, False), (7, False)):
        trainer.fit_loop.epoch_progress.current.completed = epoch
        callback.on_train_start(trainer, module)
        assert module[0].weight.requires_grad is module[0].training is not frozen
