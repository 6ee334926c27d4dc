"""A flood of warnings is cut short, and its end says by how much."""

import logging
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as lightning
from pytorch_lightning.demos.boring_classes import BoringModel

from kaskad.callbacks.limit_messages import LimitMessages, MessageLimit


class Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def recorder():
    """A handler of the root logger, with the messages that get through to it."""
    handler = Recorder()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_so_many_of_a_kind_a_minute_then_how_many_more(recorder: Recorder) -> None:
    log, time = logging.getLogger("flood"), [0.0]
    log.setLevel(logging.INFO)
    recorder.addFilter(MessageLimit(recorder, per_minute=2, clock=lambda: time[0]))
    for second in range(59):
        time[0] = second
        log.warning("clip %d is odd", second)
        log.info("step %d", second)
    log.warning("another kind")
    steps = [f"step {second}" for second in range(59)]
    assert [message for message in recorder.messages if message in steps] == steps
    rest = [message for message in recorder.messages if message not in steps]
    assert rest == ["clip 0 is odd", "clip 1 is odd", "another kind"]
    time[0] = 60.0
    log.info("a minute later")
    assert recorder.messages[-2:] == ["… and 57 more, the last: clip 58 is odd", "a minute later"]


def test_warnings_of_libraries_are_limited_in_a_run_and_told_at_its_end(
    recorder: Recorder, tmp_path: Path
) -> None:
    class Noisy(lightning.Callback):
        def on_train_batch_start(self, *_) -> None:
            warnings.warn(f"deprecated {next(numbers)}", FutureWarning, stacklevel=1)

    numbers, before = iter(range(9)), warnings.showwarning
    trainer = lightning.Trainer(
        max_steps=9,
        accelerator="cpu",
        callbacks=[LimitMessages(per_minute=3), Noisy()],
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(BoringModel())
    ours = [message for message in recorder.messages if "deprecated" in message]
    assert len(ours) == 4
    assert "… and 6 more" in ours[-1] and "FutureWarning: deprecated 8" in ours[-1]
    assert warnings.showwarning is before
