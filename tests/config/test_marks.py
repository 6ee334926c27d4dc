"""What may change when a run goes on is marked beside each option in conf/."""

import pytest

from kaskad.config.marks import may_change


@pytest.mark.parametrize(
    ("key", "may"),
    [
        ("datamodule.workers", True),
        ("datamodule.batch_seconds", False),
        ("trainer.max_epochs", True),
        ("trainer.strategy.process_group_backend", True),
        ("trainer.precision", False),
        ("callbacks.samples.utterances", True),
        ("callbacks.checkpoint.monitor", False),
        ("callbacks.notices.prefix", True),
        ("logger.tensorboard.name", True),
        ("disk_reserve", True),
        ("seed", False),
        ("bounds", False),  # of another command
        ("data.root", True),
        ("data.language", False),
        ("optimizer.lr", False),
    ],
)
def test_the_marks_say_what_may_change(key, may, compose, tmp_path) -> None:
    compose("train", tmp_path)
    assert may_change(key) is may
