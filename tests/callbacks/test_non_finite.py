"""Losses and gradients that are not finite: left out, named, counted; a lost run is stopped."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import pytorch_lightning as lightning
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.callbacks.limit_messages import LimitMessages
from kaskad.callbacks.non_finite import DIVERGED, DivergedError, NonFinite
from kaskad.callbacks.replay import Replay
from kaskad.models.recogniser import load_recogniser
from kaskad.models.training_data import fit_tokenizer, load_data
from kaskad.runs.checkpoints import ConfigInCheckpoint

SMALL = [
    "data=table",
    "augment=none",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "optimizer.lr=0.01",
    "model.encoder.hidden_size=8",
    "model.encoder.layers=1",
    "model.encoder.channels=[4,4]",
]


class Run:
    """A recogniser and its data, to be spoilt before they are fitted for an epoch."""

    def __init__(self, config, folder: Path) -> None:
        torch.manual_seed(0)
        self.folder = folder
        self.data = load_data(config)
        fit_tokenizer(config, self.data)
        self.config = OmegaConf.to_container(config, resolve=True)
        self.recogniser = instantiate(config.model)
        self.data.connect(self.recogniser.tokenizer)

    def fit(self, *callbacks: lightning.Callback, **options: float) -> dict[str, float]:
        watching = NonFinite(self.folder, **options)
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            callbacks=[ConfigInCheckpoint(self.config), watching, LimitMessages(), *callbacks],
            default_root_dir=self.folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
        )
        trainer.fit(self.recogniser, datamodule=self.data)
        return {name: float(figure) for name, figure in trainer.callback_metrics.items()}

    def named(self) -> pl.DataFrame:
        return pl.read_csv(self.folder / "non_finite.csv")

    def is_whole(self) -> bool:
        """Whether all weights and statistics of the net are numbers."""
        return all(tensor.isfinite().all() for tensor in self.recogniser.state_dict().values())


@pytest.fixture
def run(compose, tone_corpus: Path, tmp_path: Path) -> Run:
    return Run(compose("train", tmp_path, *SMALL, f"data.root={tone_corpus}"), tmp_path)


def only_clip_3(change: Callable[[np.ndarray], np.ndarray]):
    """An augmentation that changes one of the eight clips, which is told by its length."""

    def augment(waveform: np.ndarray, sample_rate: int, generator) -> np.ndarray:
        is_clip_3 = len(waveform) == int(16_000 * (0.3 + 0.05 * 3)) + 8_000
        return change(waveform).astype("float32") if is_clip_3 else waveform

    return augment


def one_nan(waveform: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(waveform)) == 100, np.nan, waveform)


def cut_short(waveform: np.ndarray) -> np.ndarray:
    return waveform[:300]


@pytest.mark.parametrize("change, reason", [(one_nan, "bad audio"), (cut_short, "infeasible")])
def test_an_utterance_without_a_loss_is_named_and_spoils_nothing(
    run: Run, change, reason: str
) -> None:
    run.data.augment = only_clip_3(change)
    figures = run.fit(max_share=0.5)
    named = run.named()
    assert sorted(named["id"]) == sorted(f"{n}-3" for n in range(8))
    assert set(named["reason"]) == {reason}
    assert set(named["labels"]) == {4} and set(named["epoch"]) == {0}
    assert figures["training/non_finite"] == 8
    assert figures["training/skipped_steps"] == 0
    assert np.isfinite(figures["training/loss_epoch"]) and run.is_whole()


def test_a_loss_that_overflows_is_left_out_alone(run: Run) -> None:
    losses = run.recogniser.losses

    def overflowing(batch):
        is_finite = torch.tensor([id_ != "5-1" for id_ in batch.ids])
        return {name: each.where(is_finite, torch.inf) for name, each in losses(batch).items()}

    run.recogniser.losses = overflowing
    figures = run.fit()
    assert run.named()["id"].to_list() == ["5-1"]
    assert run.named()["reason"].to_list() == ["overflow"]
    assert np.isfinite(figures["training/loss_epoch"]) and run.is_whole()


def test_too_large_a_share_stops_the_run(run: Run) -> None:
    run.data.augment = only_clip_3(one_nan)
    with pytest.raises(DivergedError, match=r"without a finite loss \(max_share is 0.05\)"):
        run.fit(max_share=0.05)


def test_a_net_of_nan_stops_the_run_and_is_kept_for_study(run: Run, capsys) -> None:
    torch.nn.init.constant_(run.recogniser.head.weight, torch.nan)
    with pytest.raises(
        DivergedError, match=r"no weights were updated in 3 steps[\s\S]*debug=replay"
    ):
        run.fit(max_share=1.0, max_steps=3)
    named = run.named()
    last = named.filter(pl.col("step") == named["step"].max())
    left = torch.load(run.folder / DIVERGED, weights_only=True)
    (batch,), (losses,) = left["diverged"]["batches"], left["diverged"]["losses"]
    assert batch["ids"] == last["id"].to_list()
    assert losses.shape == (len(batch["ids"]),) and losses.isnan().all()
    assert batch["waveforms"].isfinite().all()
    recogniser, _ = load_recogniser(run.folder / DIVERGED)
    assert recogniser.head.weight.isnan().all()

    torch.nn.init.zeros_(run.recogniser.head.weight)  # as in a new process
    with pytest.raises(SystemExit) as end:
        run.fit(Replay(run.folder))
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(id_ in shown for id_ in batch["ids"])
    assert shown.count("overflow") == len(batch["ids"])
    assert "not finite: head.weight" in shown


def test_a_gradient_that_is_not_finite_skips_its_step_alone(run: Run) -> None:
    weight, before = run.recogniser.head.weight, []

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        before.append(weight.detach().clone())  # at each step, before it
        return gradient * torch.inf if len(before) == 3 else gradient

    weight.register_hook(spoil)
    figures = run.fit()
    moved = [not torch.equal(one, two) for one, two in pairwise(before)]
    assert moved == [index != 2 for index in range(len(moved))] and len(moved) > 3
    assert figures["training/skipped_steps"] == 1
    assert figures["training/non_finite"] == 0
    assert run.is_whole()


def test_gradients_that_stay_so_stop_the_run(run: Run) -> None:
    run.recogniser.head.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(DivergedError, match="no weights were updated in 2 steps in a row"):
        run.fit(max_steps=2)
    assert run.is_whole()
