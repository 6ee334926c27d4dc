"""A limit ends a run cleanly, and a report says what was left out."""

import json

import pytest
import torch

from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.blank import tell_if_blank

TINY = [
    "data=table",
    "augment=none",
    "logger=csv",
    "trainer.precision=32-true",
    "trainer.limit_train_batches=2",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "model.encoder.hidden_size=8",
    "model.encoder.layers=1",
    "model.encoder.channels=[2,2]",
]


@pytest.mark.slow
def test_a_time_limit_ends_with_a_checkpoint_and_a_test_and_may_be_put_off(
    compose, tone_corpus, tmp_path
) -> None:
    limits = ["trainer.max_time=00:00:00:02", "trainer.max_epochs=1000"]
    train(compose("train", tmp_path, *TINY, *limits, f"data.root={tone_corpus}"))
    report = json.loads((tmp_path / "report.json").read_text())
    epochs = report["training"]["epochs"]
    assert 0 < epochs < 1000
    assert report["corpora"]["test"]["utterances"] == 8
    for longer, expected in (([], epochs), (["trainer.max_time=null"], epochs + 2)):
        end = [f"trainer.max_epochs={epochs + 2}"] if longer else []
        train(compose("train", tmp_path, f"resume={tmp_path}", *longer, *end))
        last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
        assert last["epoch"] == expected
        assert last["loops"]["fit_loop"]["epoch_progress"]["current"]["completed"] == expected


def test_a_limit_that_cannot_be_read_says_how(compose, tone_corpus, tmp_path) -> None:
    config = compose("train", tmp_path, *TINY, "trainer.max_time=5m", f"data.root={tone_corpus}")
    with pytest.raises(ConfigurationError, match=r"trainer\.max_time=5m: wants days, hours"):
        train(config)


def test_the_report_says_of_how_many_utterances_a_limit_took_some(
    compose, tone_corpus, tmp_path, capsys
) -> None:
    limits = ["trainer.limit_test_batches=1", "trainer.max_epochs=1"]
    train(compose("train", tmp_path, *TINY, *limits, f"data.root={tone_corpus}"))
    part = json.loads((tmp_path / "report.json").read_text())["corpora"]["test"]
    assert 0 < part["utterances"] < part["of"] == 8
    assert f"{part['utterances']} of 8" in capsys.readouterr().out


def test_a_net_that_puts_out_blanks_alone_is_told_of(caplog) -> None:
    parts = {"test": {"utterances": 8, "empty": 8}, "known": {"utterances": 3, "empty": 2}}
    tell_if_blank({"corpora": parts}, 120)
    tell_if_blank({"corpora": {"test": {"sentences": 8}}}, 120)  # of a language model
    assert not caplog.text
    parts["known"]["empty"] = 3
    tell_if_blank({"corpora": parts}, 120)
    assert "all hypotheses are blank: 120 steps are too few" in caplog.text
