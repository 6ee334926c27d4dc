"""Where a training step of the default run spends its time, and how near that is to the processor.

    python benchmarks/step_profile.py [--steps 20] [--threads 1] [--output step_profile.json]

Each part is timed alone, forwards and backwards, on the same batches of spoken numbers. Beside it
stand its floating-point operations a second, as a share of those of a plain matrix product.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from timed_training import (
    arguments_of,
    compose_default,
    keep,
    machine,
    settle,
    train_with_kaskad,
    untrained,
)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kaskad.data.batch import Batch
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.ctc_losses import ctc_losses, log_probabilities
from kaskad.models.encoders.cnn2d_lstm import CNN2dLSTM
from kaskad.models.layers.rnn import RecurrentLayers

WARM_UP = 3
SQUARE = 1024  # rows and columns of the plain matrix product


@dataclass
class Clock:
    """Seconds and floating-point operations of each part, a figure a step."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    operations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def part(self, name: str, operations: float = 0.0) -> Iterator[None]:
        """Time what is done within, which takes so many operations."""
        start = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - start)
        self.operations[name].append(operations)


def count(work: Callable[[], Any]) -> float:
    """Operations of matrix products and convolutions in some work, which is done once more."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def recurrence_operations(layers: RecurrentLayers, frames: int, rows: int) -> float:
    """Of the matrix products of a forward pass: those that PyTorch does not count."""
    weights = [
        weight.numel()
        for cells in (layers.forwards, layers.backwards)
        for cell in cells
        for name, weight in cell.named_parameters()
        if name.startswith("weight")
    ]
    return 2.0 * sum(weights) * frames * rows


def profile_step(recogniser: CTCRecogniser, batch: Batch, optimizer: Any, clock: Clock) -> None:
    """One step, taken to pieces; a pass back takes twice the operations of the one forward."""
    encoder = cast(CNN2dLSTM, recogniser.encoder)
    with clock.part("features"), torch.no_grad():
        features, lengths = recogniser.features(batch.waveforms, batch.waveform_lengths)
    with clock.part("augmentation"), torch.no_grad():
        if recogniser.augment is not None:
            features = recogniser.augment(features, lengths)
    convolved: list[Any] = []
    operations = count(lambda: convolved.append(encoder.convolutions(features, lengths)))
    with clock.part("convolutions, forward", operations):
        maps, frames = encoder.convolutions(features, lengths)
    inner = maps.detach().requires_grad_()
    recurrence = recurrence_operations(encoder.lstm, inner.shape[1], len(inner))
    with clock.part("recurrence, forward", recurrence):
        encoded = encoder.lstm(inner, frames)
    outer = encoded.detach().requires_grad_()
    products = 2.0 * cast(nn.Linear, recogniser.head).weight.numel() * outer[:, :, 0].numel()
    with clock.part("head", products):
        log_probs = log_probabilities(recogniser.head, outer)
    given = log_probs.detach().requires_grad_()
    with clock.part("CTC"):
        losses = ctc_losses(given, frames, batch)
        losses[losses.isfinite()].mean().backward()
    with clock.part("head", 2.0 * products):
        log_probs.backward(given.grad)
    with clock.part("recurrence, backward", 2.0 * recurrence):
        encoded.backward(outer.grad)
    with clock.part("convolutions, backward", 2.0 * operations):
        maps.backward(inner.grad)
    with clock.part("optimiser"):
        nn.utils.clip_grad_norm_(recogniser.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()


def plain_rate() -> float:
    """Floating-point operations a second of a plain matrix product, in float32."""
    one, other = torch.randn(SQUARE, SQUARE), torch.randn(SQUARE, SQUARE)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - start)
    return 2.0 * SQUARE**3 / min(seconds)


def measure(config: DictConfig, steps: int) -> tuple[Clock, float, float]:
    """The parts of so many steps; seconds of a whole step of train.py, and of its audio."""
    recogniser, data = untrained(config)
    optimizer = instantiate(config.optimizer)(recogniser.parameters())
    clock = Clock()
    recogniser.train()
    bfloat16 = config.trainer.precision == "bf16-mixed"
    for number, batch in enumerate(_batches(data, WARM_UP + steps)):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            profile_step(recogniser, batch, optimizer, clock if number >= WARM_UP else Clock())
    watch = train_with_kaskad(untrained(config, data)[0], data, config)
    audio = sum(watch.audio_seconds) / len(watch.audio_seconds)
    return clock, watch.seconds_a_step, audio


def _batches(data: SpeechDataModule, steps: int) -> Iterator[Batch]:
    for _, batch in zip(range(steps), data.train_dataloader(), strict=False):
        yield batch


def summarise(clock: Clock, steps: int, whole: float, rate: float) -> dict[str, dict[str, float]]:
    """Of each part: seconds a step, share of the step, GFLOP/s, share of the plain rate."""
    rows: dict[str, dict[str, float]] = {}
    for name, each in clock.seconds.items():
        seconds = sum(each) / steps
        operations = sum(clock.operations[name]) / steps
        rows[name] = {
            "seconds": seconds,
            "share": seconds / whole,
            "gflops": operations / seconds / 1e9,
            "share_of_plain": operations / seconds / rate,
        }
    known = sum(row["seconds"] for row in rows.values())
    rows["all else: loader, Lightning, callbacks"] = {
        "seconds": whole - known,
        "share": 1.0 - known / whole,
        "gflops": 0.0,
        "share_of_plain": 0.0,
    }
    return rows


def show(rows: dict[str, dict[str, float]], whole: float, audio: float, rate: float) -> None:
    """Print a line for each part."""
    caption = f"{machine()}; {audio / whole:.1f} audio s/s; plain product {rate / 1e9:.0f} GFLOP/s"
    table = Table("", caption=caption)
    for title in ("ms a step", "share", "GFLOP/s", "of a plain product"):
        table.add_column(title, justify="right")
    for name, row in rows.items():
        rated = f"{row['gflops']:.1f}", f"{100 * row['share_of_plain']:.0f} %"
        cells = rated if row["gflops"] else ("", "")
        table.add_row(name, f"{1e3 * row['seconds']:.1f}", f"{100 * row['share']:.1f} %", *cells)
    Console().print(table)


def main() -> None:
    arguments = arguments_of(__doc__, steps=20, rounds=1).parse_args()
    settle(arguments.threads)
    rate = median(plain_rate() for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        clock, whole, audio = measure(
            compose_default(Path(folder), arguments.steps), arguments.steps
        )
    rows = summarise(clock, arguments.steps, whole, rate)
    show(rows, whole, audio, rate)
    keep(arguments.output, {"steps": arguments.steps, "plain_gflops": rate / 1e9, "parts": rows})


if __name__ == "__main__":
    main()
