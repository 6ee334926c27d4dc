"""Audio seconds trained in a second: a run of train.py, a bare PyTorch loop, packed sequences.

    python benchmarks/training_speed.py [--steps 30] [--threads 2] [--output training_speed.json]

All train the default model on the same batches of spoken numbers, in turn, from the same weights.
"""

import argparse
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, cast

import hydra
import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import kaskad.commands  # noqa: F401 - registers what conf/ asks of the machine
from kaskad import training
from kaskad.callbacks.skipped import SkippedUtterances
from kaskad.data.batch import Batch
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc_recogniser import CTCRecogniser, ctc_losses
from kaskad.models.recurrent import LSTM
from kaskad.reports.environment import environment

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


class PackedLSTM(nn.Module):
    """The same layers with the same weights, as PyTorch has them, over packed sequences."""

    def __init__(self, lstm: LSTM) -> None:
        super().__init__()
        first = cast(nn.LSTM, lstm.forwards[0])
        self.lstm = nn.LSTM(
            first.input_size,
            first.hidden_size,
            len(lstm.forwards),
            batch_first=True,
            bidirectional=len(lstm.backwards) > 0,
            dropout=lstm.dropout.p,
        )
        for layers, suffix in ((lstm.forwards, ""), (lstm.backwards, "_reverse")):
            for index, layer in enumerate(layers):
                for name, weight in layer.named_parameters():
                    mine = self.lstm.get_parameter(f"{name[:-1]}{index}{suffix}")
                    mine.data.copy_(weight)

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(sequences, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


Way = Callable[[CTCRecogniser, SpeechDataModule, DictConfig], Stopwatch]


def train_with_kaskad(
    recogniser: CTCRecogniser, data: SpeechDataModule, config: DictConfig
) -> Stopwatch:
    """As train.py does it, with its callbacks and its logger."""
    stopwatch = Stopwatch(data.sample_rate)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    folder = Path(HydraConfig.get().runtime.output_dir)
    trainer = training.make_trainer(config, resolved, folder, [SkippedUtterances()])
    trainer.callbacks.append(stopwatch)  # type: ignore[attr-defined]
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


def train_packed(
    recogniser: CTCRecogniser, data: SpeechDataModule, config: DictConfig
) -> Stopwatch:
    """The bare loop as it is mostly written: packed sequences, in float32."""
    recogniser.encoder.lstm = PackedLSTM(cast(LSTM, recogniser.encoder.lstm))
    config = config.copy()
    config.trainer.precision = "32-true"
    return train_barely(recogniser, data, config)


WAYS: dict[str, Way] = {
    "Kaskad": train_with_kaskad,
    "bare loop": train_barely,
    "packed, float32": train_packed,
}


def compose(folder: Path, steps: int) -> DictConfig:
    """The default run on a small corpus, for ``steps`` steps after the warm-up."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", return_hydra_config=True)
    config.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config.hydra
    config.trainer.max_epochs = 1
    config.trainer.limit_train_batches = WARM_UP + steps
    config.trainer.limit_val_batches = 0
    config.trainer.enable_progress_bar = False
    config.trainer.enable_model_summary = False
    config.data.root = str(folder / "numbers")
    config.data.source.workers = 1
    # Enough for every step to have a full batch, and for the worker to have the next ones at hand.
    enough = (WARM_UP + steps + 4) * config.loader.max_utterances
    config.data.source.utterances = {"train": enough, "validation": 1, "test": 1, "test_known": 1}
    return config


def measure(config: DictConfig, rounds: int) -> dict[str, list[Stopwatch]]:
    """Go through the ways in turn, there and back, ``rounds`` times, from the same weights.

    A round that nobody counts goes before: kernels for every shape are made and cached in it.
    """
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = training.load_data(config)
    training.fit_tokenizer(config, data)
    untrained: CTCRecogniser = instantiate(config.model)
    data.connect(untrained.tokenizer, untrained.frame_count)
    watches: dict[str, list[Stopwatch]] = {name: [] for name in WAYS}
    for turn in track(range(rounds + 1), "Training", console=Console(stderr=True)):
        for name in [*WAYS] if turn % 2 else reversed(WAYS):
            torch.manual_seed(config.seed)
            watch = WAYS[name](deepcopy(untrained), data, config)
            if turn > 0:
                watches[name].append(watch)
    return watches


def summarise(watches: dict[str, list[Stopwatch]]) -> dict[str, dict[str, Any]]:
    """Audio seconds a second of each way, and how many times that Kaskad trains.

    The ratio is the median of those of the rounds, in which the ways are neighbours in time.
    """
    speeds = {name: [watch.speed for watch in rounds] for name, rounds in watches.items()}
    ours = speeds["Kaskad"]
    return {
        name: {
            "audio_seconds_per_second": median(speeds[name]),
            "rounds": speeds[name],
            "kaskad_ratio": median(
                mine / theirs for mine, theirs in zip(ours, speeds[name], strict=True)
            ),
            "last_loss": float(rounds[-1].loss),
        }
        for name, rounds in watches.items()
    }


def show(summary: dict[str, dict[str, Any]], machine: str) -> None:
    """Print a line for each way."""
    table = Table("", caption=machine)
    for title in ("audio s/s", "lowest", "highest", "Kaskad is", "last loss"):
        table.add_column(title, justify="right")
    for name, way in summary.items():
        figures = way["audio_seconds_per_second"], min(way["rounds"]), max(way["rounds"])
        cells = (f"{figure:.1f}" for figure in figures)
        table.add_row(name, *cells, f"{way['kaskad_ratio']:.2f}×", f"{way['last_loss']:.4f}")
    Console().print(table)


def machine() -> str:
    """The processor, what it has for bfloat16, threads, the version of PyTorch."""
    cpu = torch.cpu.get_capabilities()
    bfloat16 = [name for name in ("avx512_bf16", "amx_bf16") if cpu.get(name)]
    return (
        f"{cpu['cpu_name']} ({', '.join(bfloat16) or 'no bfloat16'}), "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30, help="timed steps of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    with tempfile.TemporaryDirectory() as folder:
        watches = measure(compose(Path(folder), arguments.steps), arguments.rounds)
    summary = summarise(watches)
    show(summary, machine())
    if arguments.output:
        content = {
            "environment": environment(0) | {"processor": machine()},
            "steps": arguments.steps,
            "ways": summary,
        }
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
