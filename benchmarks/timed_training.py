"""Trainings of a few timed steps: what the benchmarks of training have in common."""

import argparse
import json
import logging
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import hydra
import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.profilers import Profiler
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

import kaskad.cli.command  # noqa: F401 - registers what conf/ asks of the machine
from kaskad.callbacks.skipped_utterances import SkippedUtterances
from kaskad.data.batch import Batch
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.ctc_losses import ctc_losses
from kaskad.models.training_data import fit_tokenizer, load_data
from kaskad.runs.environment import environment
from kaskad.runs.trainer import make_trainer

CONF = Path(__file__).resolve().parent.parent / "conf"
WARM_UP = 5  # steps of a round that are not timed


@dataclass
class Stopwatch(lightning.Callback):
    """Notes when each step of a round ended, on how much audio, and the last loss."""

    sample_rate: int
    ends: list[float] = field(default_factory=list)
    audio_seconds: list[float] = field(default_factory=list)

    def note(self, batch: Batch, loss: Tensor) -> None:
        self.ends.append(time.perf_counter())
        self.audio_seconds.append(float(batch.waveform_lengths.sum()) / self.sample_rate)
        self.loss = loss.detach()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self.note(batch, outputs["loss"])

    @property
    def speed(self) -> float:
        """Audio seconds a second, after the warm-up."""
        return sum(self.audio_seconds[WARM_UP:]) / (self.ends[-1] - self.ends[WARM_UP - 1])

    @property
    def seconds_a_step(self) -> float:
        """On average, after the warm-up."""
        return (self.ends[-1] - self.ends[WARM_UP - 1]) / (len(self.ends) - WARM_UP)


def arguments_of(description: str, *, steps: int, rounds: int) -> argparse.ArgumentParser:
    """The options that all have, with these defaults."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--steps", type=int, default=steps, help="timed steps of each round")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    return parser


def settle(threads: int | None) -> None:
    """Take so many threads, and have Lightning say nothing."""
    if threads:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")


def compose(folder: Path, steps: int, overrides: Iterable[str] = ()) -> DictConfig:
    """A run of train.py for ``steps`` steps after the warm-up, which writes into ``folder``."""
    settings = {
        "hydra.runtime.output_dir": folder,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": WARM_UP + steps,
        "trainer.limit_val_batches": 0,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
    }
    settled = [f"{key}={value}" for key, value in settings.items()]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [*overrides, *settled], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config.hydra
    return config


def compose_default(folder: Path, steps: int) -> DictConfig:
    """The default run, on a small corpus of spoken numbers in ``folder``."""
    config = compose(folder, steps)
    config.data.root = str(folder / "numbers")
    config.data.source.workers = 1
    # Enough for every step to have a full batch, and for the worker to have the next ones at hand.
    enough = (WARM_UP + steps + 4) * config.datamodule.max_utterances
    config.data.source.utterances = {"train": enough, "validation": 1, "test": 1, "test_known": 1}
    return config


def untrained(
    config: DictConfig, data: SpeechDataModule | None = None
) -> tuple[CTCRecogniser, SpeechDataModule]:
    """The recogniser of a run before its first step, and its data."""
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = data or load_data(config)
    fit_tokenizer(config, data)
    recogniser: CTCRecogniser = instantiate(config.model)
    data.connect(recogniser.tokenizer, recogniser.frame_count)
    return recogniser, data


def in_turn(names: Iterable[str], rounds: int) -> Iterator[tuple[str, bool]]:
    """Each name in every round, there and back, and whether it counts.

    The first of ``rounds + 1`` does not: kernels for every shape are made and cached in it.
    """
    there = list(names)
    for turn in track(range(rounds + 1), "Training", console=Console(stderr=True)):
        for name in there if turn % 2 else reversed(there):
            yield name, turn > 0


def train_with_kaskad(
    recogniser: CTCRecogniser,
    data: SpeechDataModule,
    config: DictConfig,
    profiler: Profiler | None = None,
) -> Stopwatch:
    """As train.py does it, with its callbacks and its logger."""
    stopwatch = Stopwatch(data.sample_rate)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    folder = Path(HydraConfig.get().runtime.output_dir)
    trainer = make_trainer(config, resolved, folder, [SkippedUtterances()])
    trainer.callbacks.append(stopwatch)  # type: ignore[attr-defined]
    if profiler is not None:
        trainer.profiler = profiler  # type: ignore[attr-defined]
    trainer.fit(recogniser, datamodule=data)
    return stopwatch


def train_barely(
    recogniser: CTCRecogniser, data: SpeechDataModule, config: DictConfig
) -> Stopwatch:
    """With nothing around it but what the learning needs."""
    stopwatch = Stopwatch(data.sample_rate)
    steps = config.trainer.limit_train_batches
    optimizer = instantiate(config.optimizer)(recogniser.parameters())
    schedule = instantiate(config.scheduler)(optimizer, steps)["scheduler"]
    bfloat16 = config.trainer.precision == "bf16-mixed"
    recogniser.train()
    for _, batch in zip(range(steps), data.train_dataloader(), strict=False):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            log_probs, lengths = recogniser(batch.waveforms, batch.waveform_lengths)
            losses = ctc_losses(log_probs, lengths, batch)
            loss = losses[losses.isfinite()].mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(recogniser.parameters(), config.trainer.gradient_clip_val)
        optimizer.step()
        schedule.step()
        stopwatch.note(batch, loss)
    return stopwatch


def machine() -> str:
    """The processor, what it has for bfloat16, threads, the version of PyTorch."""
    cpu = torch.cpu.get_capabilities()
    bfloat16 = [name for name in ("avx512_bf16", "amx_bf16") if cpu.get(name)]
    return (
        f"{cpu['cpu_name']} ({', '.join(bfloat16) or 'no bfloat16'}), "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def keep(output: Path | None, figures: dict[str, Any]) -> None:
    """Write the figures into the file that was asked for, with the machine they belong to."""
    if output:
        content = {"environment": environment(0) | {"processor": machine()}, **figures}
        output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")
