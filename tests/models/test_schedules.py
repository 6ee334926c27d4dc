"""Learning rates that go up and down within any number of steps."""

import polars as pl
import pytest
import torch

from kaskad.commands.train import train
from kaskad.models.schedules import one_cycle


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 100])
def test_a_cycle_of_any_length_ends_far_below_its_peak(steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = one_cycle(optimizer, steps, max_lr=1.0, warm_up=0.2)["scheduler"]
    rates = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    assert max(rates) <= 1.0
    assert rates[-1] == pytest.approx(4e-6)
    if steps >= 5:
        assert max(rates) > 0.9
        assert rates.index(max(rates)) == pytest.approx(0.2 * steps - 1, abs=1)


def test_a_longer_run_goes_on_in_the_longer_cycle() -> None:
    def cycle(steps: int):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        return one_cycle(optimizer, steps, max_lr=1.0)["scheduler"]

    short, long, whole = cycle(10), cycle(20), cycle(20)
    for _ in range(9):
        short.optimizer.step()
        short.step()
        whole.optimizer.step()
        whole.step()
    long.load_state_dict(short.state_dict())
    for schedule in (long, whole):
        schedule.optimizer.step()
        schedule.step()
    assert long.get_last_lr() == whole.get_last_lr()


def test_patience_counts_validations_and_not_epochs(compose, tone_corpus, tmp_path, caplog) -> None:
    """A net that gets better with each validation keeps its rate, however rare they are."""
    caplog.set_level("INFO")
    overrides = [
        "data=table",
        f"data.root={tone_corpus}",
        "augment=none",
        "scheduler=plateau",
        "scheduler.patience=0",
        "scheduler.monitor=validation/loss",
        "trainer.check_val_every_n_epoch=3",
        "trainer.max_epochs=9",
        "trainer.limit_train_batches=2",
        "datamodule.workers=0",
        "model.encoder.hidden_size=16",
        "model.encoder.layers=1",
        "model.encoder.channels=[4,4]",
        "logger=csv",
    ]
    train(compose("train", tmp_path, *overrides))
    logged = pl.read_csv(tmp_path / "csv" / "metrics.csv")
    losses = logged["validation/loss"].drop_nulls().to_list()
    assert losses == sorted(losses, reverse=True) and len(losses) == 3
    rates = logged["training/learning_rate"].drop_nulls()
    assert rates.min() == rates.max() == pytest.approx(0.004)
    lines = [message for message in caplog.messages if message.startswith("epoch ")]
    assert ["validation loss" in line for line in lines] == [False, False, True] * 3
