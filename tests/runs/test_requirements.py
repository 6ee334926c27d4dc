"""What a run misses is reported before its corpus is read."""

import shutil
from collections import namedtuple

import pytest
import torch

from kaskad.config.messages import ConfigurationError
from kaskad.runs.requirements import require_all, require_options, require_shared_memory


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=-1"], "seed=-1: wants a number from 0 to 4294967295"),
        (["seed=4294967296"], "seed=4294967296: wants"),
        (["+trainer.logger=false"], r"trainer\.logger: not an option .* logger=none"),
        (["+trainer.callbacks=[]"], r"trainer\.callbacks: not an option"),
        (["+trainer.default_root_dir=x"], r"trainer\.default_root_dir: .* hydra\.run\.dir=…"),
        (["trainer.max_steps=0"], r"trainer\.max_steps=0: wants 1 or more, or -1"),
        (["trainer.max_time=90m"], r"trainer\.max_time=90m: wants days, hours.*00:12:30:00"),
        (["trainer.max_time={hour: 1}"], r"trainer\.max_time=\{'hour': 1\}: wants days"),
        (["trainer.max_time=00:00:00:00"], r"trainer\.max_time=00:00:00:00: wants days"),
        (["trainer.max_epochs=0"], r"trainer\.max_epochs=0: wants 1 or more"),
        (["trainer.gradient_clip_val=-1"], r"trainer\.gradient_clip_val=-1: wants a number, 0 or"),
        (["trainer.accumulate_grad_batches=0"], r"_batches=0: wants a whole number, 1 or more"),
        (["trainer.limit_train_batches=0"], r"limit_train_batches=0: nothing would be trained"),
        (["trainer.limit_val_batches=1.5"], r"trainer: .*1\.5 for limit_val_batches"),
        (["seed=null"], "seed=None: wants a number from 0"),
        (["seed=1.5"], r"seed=1\.5: wants a number from 0"),
        (["disk_reserve=much"], "disk_reserve=much: wants a number, 0 or more"),
        (["trainer.max_epochs=many"], "max_epochs=many: wants a whole number"),
        (["trainer.max_epochs=2.5"], r"max_epochs=2\.5: wants a whole number"),
        (["trainer.max_steps=-2"], r"trainer\.max_steps=-2: wants a whole number, -1 or more"),
        (["trainer.check_val_every_n_epoch=0"], "check_val_every_n_epoch=0: wants a whole"),
        (["trainer.num_sanity_val_steps=few"], "num_sanity_val_steps=few: wants a whole number"),
        (["trainer.log_every_n_steps=-1"], "log_every_n_steps=-1: wants a whole number, 0 or"),
        (["trainer.limit_test_batches=half"], "limit_test_batches=half: wants a number"),
        (["trainer.gradient_clip_val=nan"], "gradient_clip_val=nan: wants a number, 0 or more"),
        (["trainer.max_time=1"], r"trainer\.max_time=1: wants days, hours"),
        (["nearest=-1"], "nearest=-1: wants a whole number, 0 or more"),
        (["trainer.accelerator=tpu"], r"trainer: (?!None is not installed)"),
        (["optimizer.lr=nan"], "optimizer: Invalid learning rate: nan"),
        (["trainer.max_epochs=-1"], r"trainer\.max_epochs=-1: this run would never end"),
        (
            ["trainer.max_epochs=-1", "trainer.max_time=00:01:00:00"],
            r"scheduler=one_cycle .* must know its length",
        ),
    ],
)
def test_what_lightning_would_misread_is_refused_by_name(overrides, message, compose, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        require_all(compose("train", tmp_path, *overrides), tmp_path)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["trainer.max_epochs=-1", "trainer.max_steps=100"],
        ["trainer.max_time={hours: 1, minutes: 30}"],
        ["trainer.max_epochs=-1", "trainer.max_time=00:01:00:00", "scheduler=plateau"],
    ],
)
def test_a_run_that_ends_passes(overrides, compose, tmp_path) -> None:
    require_options(compose("train", tmp_path, *overrides))


@pytest.mark.parametrize("logger", ["csv", "tensorboard", "wandb"])
def test_a_folder_that_no_logger_can_write_into_is_named(logger, compose, tmp_path) -> None:
    (tmp_path / "file").touch()
    option = f"logger.{logger}.save_dir={tmp_path / 'file'}"
    with pytest.raises(ConfigurationError, match=r"cannot be written: .*choose another") as error:
        require_all(compose("train", tmp_path, f"logger={logger}", option), tmp_path)
    assert str(error.value).startswith(option)


@pytest.mark.parametrize(
    ("found", "overrides", "message"),
    [
        (0, ["trainer=gpu"], r"trainer\.accelerator=gpu.*no GPU is found.*trainer=cpu"),
        (1, ["trainer=gpu", "trainer.devices=2"], "only 1 of them are found"),
        (0, ["trainer=ddp"], "no GPU is found"),
    ],
)
def test_a_gpu_that_is_not_there_is_missed(
    found, overrides, message, compose, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    with pytest.raises(ConfigurationError, match=message):
        require_all(compose("train", tmp_path, *overrides), tmp_path)


def test_room_for_batches_on_their_way_is_missed(compose, tmp_path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")(64e6, 60e6, 4e6)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    config = compose("train", tmp_path, "datamodule.workers=4", "datamodule.batch_seconds=40")
    with pytest.raises(ConfigurationError, match=r"workers=4: .* need 21 MB .*shm-size"):
        require_shared_memory(config, tmp_path)
    config.datamodule.workers = 0
    require_shared_memory(config, tmp_path)
