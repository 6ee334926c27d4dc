"""A tracker that cannot be reached is told of before training; one that fails later, beside it."""

import errno
import shutil
import traceback
from itertools import product

import pytest
import wandb

from kaskad.config.messages import ConfigurationError
from kaskad.loggers.csv_logger import ContinuedCSVLogger
from kaskad.loggers.mlflow_logger import MLflow
from kaskad.loggers.tensorboard_logger import TensorBoard
from kaskad.loggers.tracking_uri import ADDRESS
from kaskad.loggers.wandb_logger import WeightsAndBiases

TOKEN = "s3cr3tT0ken"


def test_a_logger_that_can_no_longer_write_costs_no_run(tmp_path, caplog, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    table = ContinuedCSVLogger(str(tmp_path), "csv", "")
    board = TensorBoard(str(tmp_path))
    for step, logger in product(range(3), (table, board)):
        logger.log_metrics({f"loss_{step}": 0.5}, step)
        logger.save()
        if step == 0:
            shutil.rmtree(table.log_dir, ignore_errors=True)
            monkeypatch.setattr(board.experiment, "add_scalar", full)
            monkeypatch.setattr(board.experiment, "close", full)
    for logger in (table, board):
        logger.finalize("success")
        assert caplog.text.count(f"{type(logger).__name__} cannot write: ") == 1


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (
            f"http://somebody:{TOKEN}@127.0.0.1:99999",
            "http://… cannot be opened: Port out of range",
        ),
        (f"http://somebody:{TOKEN}@[::1", "http://… cannot be opened: Invalid IPv6"),
        ("localhost:5000", r"^localhost:5000 cannot .* none of the addresses that MLflow knows"),
        ("http://", "it names no host"),
    ],
)
def test_an_address_that_cannot_be_is_told(uri, told, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(ADDRESS, uri)
    places = [str(tmp_path / name) for name in ("run", "mlflow.db", "artifacts")]
    with pytest.raises(ValueError, match=told) as caught:
        MLflow(*places, experiment="tests", name="test")
    assert "set MLFLOW_TRACKING_URI to another" in str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("mode", "environment", "told"),
    [
        ("online", "", r"online: .*API key.*\nset WANDB_API_KEY .*logger\.wandb\.mode=offline"),
        (None, "online", r"online: .*API key"),
        ("offlin", "", "offlin: wants offline or online"),
        (None, "onlin", "onlin: wants offline or online"),
    ],
)
def test_wandb_says_what_it_misses(mode, environment, told, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # where a key may be kept
    monkeypatch.setenv("WANDB_MODE", environment)
    with pytest.raises(ConfigurationError, match=told):
        WeightsAndBiases(str(tmp_path), "tests", "test", mode)


def test_what_wandb_does_not_take_from_the_environment_is_named(tmp_path, monkeypatch) -> None:
    wandb.teardown()  # it reads the environment once
    monkeypatch.setenv("WANDB_API_KEY", TOKEN)
    monkeypatch.setenv("WANDB_SYMLINK", TOKEN)
    with pytest.raises(ConfigurationError, match="WANDB_SYMLINK") as caught:
        WeightsAndBiases(str(tmp_path), "tests", "test")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
