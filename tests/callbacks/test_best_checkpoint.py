"""The best checkpoint is the one with the best validation figure, however many are kept."""

import json
import re
from pathlib import Path

import pytest
import torch

from kaskad.callbacks.averaging import mean_weights
from kaskad.callbacks.best_checkpoint import BestCheckpoint
from kaskad.callbacks.last_checkpoint import LastCheckpoint
from kaskad.callbacks.wer_histogram import WERHistogram
from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError

TINY = [
    "data=table",
    "augment=none",
    "logger=none",
    "trainer.precision=32-true",
    "trainer.limit_train_batches=1",
    "datamodule.workers=0",
    "model.encoder.hidden_size=8",
    "model.encoder.layers=1",
    "model.encoder.channels=[2,2]",
]


def saved(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def test_of_several_checkpoints_the_best_is_the_best(compose, tone_corpus, tmp_path) -> None:
    rising = ["optimizer.lr=0.3", "scheduler=none", "trainer.max_epochs=4"]  # the loss, that is
    monitor = "callbacks.checkpoint.monitor=validation/loss"
    several = [monitor, "callbacks.checkpoint.save_top_k=3", f"data.root={tone_corpus}"]
    figures = train(compose("train", tmp_path, *TINY, *rising, *several))
    folder = tmp_path / "checkpoints"
    kept = [path for path in folder.iterdir() if path.stem not in ("best", "last")]
    assert len(kept) == 3
    by_loss = {saved(path)["figures"]["validation/loss"]: path for path in kept}
    best = by_loss[min(by_loss)]
    named = re.fullmatch(r"epoch_(\d+)-step_\d+-loss_([\d.]+)\.ckpt", best.name)
    assert named is not None
    assert int(named[1]) == saved(best)["epoch"]
    assert float(named[2]) == pytest.approx(min(by_loss), abs=1e-4)
    assert (folder / "best.ckpt").samefile(best)
    training = json.loads((tmp_path / "report.json").read_text())["training"]
    assert training["checkpoint"] == str(best)
    assert training["best"] == {"validation/loss": round(min(by_loss), 6)}
    assert figures["validation/loss"] == pytest.approx(min(by_loss))
    # All that validation found in the epoch that was chosen, and not in the last one.
    assert {"validation/wer", "validation/cer"} <= figures.keys()
    assert figures["validation/wer"] == saved(best)["figures"]["validation/wer"]


@pytest.mark.parametrize(
    ("monitor", "mode", "wanted"),
    [
        ("validation/wer", None, "min"),
        ("validation/number_accuracy", None, "max"),
        ("validation/number_accuracy", "min", "min"),
    ],
)
def test_of_an_accuracy_the_highest_is_best(monitor, mode, wanted, tmp_path) -> None:
    assert BestCheckpoint(str(tmp_path), monitor, mode).mode == wanted


@pytest.mark.parametrize(
    "options",
    [
        {"monitor": None},
        {"save_top_k": 1.5},
        {"save_top_k": -2},
        {"save_top_k": "all"},
    ],
)
def test_what_says_no_checkpoint_to_keep_is_refused(options, tmp_path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"callbacks\.checkpoint: monitor=.*wants a figure"
    ):
        BestCheckpoint(**{"dirpath": str(tmp_path), "monitor": "validation/wer", **options})


def test_a_tie_within_less_than_nothing_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"within=-1: wants 0 or more"):
        BestCheckpoint(str(tmp_path), "validation/wer", within=-1)


@pytest.mark.parametrize("wrong", [0, -1, "few", 1.5])
def test_what_cannot_be_counted_in_epochs_or_steps_is_refused(wrong, tmp_path) -> None:
    with pytest.raises(ValueError, match=f"every_n_epochs is {wrong}; it must be 1 or more"):
        WERHistogram(every_n_epochs=wrong)
    with pytest.raises(ValueError, match=f"every_n_steps is {wrong}; it must be 1 or more"):
        LastCheckpoint(tmp_path, every_n_steps=wrong)


@pytest.mark.parametrize("option", ["callbacks.checkpoint.monitor", "scheduler.monitor"])
def test_a_figure_that_does_not_exist_is_refused_before_the_first_step(
    option, compose, tone_corpus, tmp_path
) -> None:
    config = compose(
        "train",
        tmp_path,
        *TINY,
        "scheduler=plateau",
        f"{option}=validation/los",
        f"data.root={tone_corpus}",
    )
    with pytest.raises(
        ConfigurationError, match=rf"{option}=validation/los: .*mean validation/loss"
    ):
        train(config)
    assert not (tmp_path / "checkpoints").exists()


def test_averages_are_validated_and_the_better_one_is_tested(compose, tone_corpus, tmp_path):
    overrides = ["callbacks=averaging", "trainer.max_epochs=4", f"data.root={tone_corpus}"]
    train(compose("train", tmp_path, *TINY, *overrides))
    training = json.loads((tmp_path / "report.json").read_text())["training"]
    assert len(training["mean"]["of"]) == 4
    folder = tmp_path / "checkpoints"
    by_mean = training["mean"]["validation"]["validation/wer"]
    best = saved(folder / "best.ckpt")
    chosen = "average.ckpt" if by_mean < best["figures"]["validation/wer"] else "epoch"
    assert Path(training["checkpoint"]).name.startswith(chosen)
    # What is kept, validated and tested is the moving average; training has its own weights.
    newest = saved(max(folder.glob("epoch_*")))
    kept, current = newest["state_dict"], newest["current_model_state"]
    assert not all(torch.equal(kept[name], current[name]) for name in kept)


def test_the_mean_of_weights_is_their_mean(tmp_path) -> None:
    for number in (1.0, 3.0):
        state = {"weight": torch.full((2,), number), "count": torch.tensor(int(number))}
        torch.save({"config": {"model": {}}, "state_dict": state}, tmp_path / f"{number}.ckpt")
    mean = mean_weights([tmp_path / "1.0.ckpt", tmp_path / "3.0.ckpt"])
    assert mean["weight"].tolist() == [2.0, 2.0]
    assert mean["count"] == 1
