"""Audio seconds trained in a second: a run of train.py, a bare PyTorch loop, packed sequences.

    python benchmarks/training_speed.py [--steps 30] [--threads 2] [--output training_speed.json]

All train the default model on the same batches of spoken numbers, in turn, from the same weights.
"""

import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from timed_training import (
    Stopwatch,
    arguments_of,
    compose_default,
    in_turn,
    keep,
    machine,
    settle,
    train_barely,
    train_with_kaskad,
    untrained,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.layers.rnn import LSTM


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


def measure(config: DictConfig, rounds: int) -> dict[str, list[Stopwatch]]:
    """Go through the ways ``rounds`` times, each time from the same weights."""
    recogniser, data = untrained(config)
    watches: dict[str, list[Stopwatch]] = {name: [] for name in WAYS}
    for name, counts in in_turn(WAYS, rounds):
        torch.manual_seed(config.seed)
        watch = WAYS[name](deepcopy(recogniser), data, config)
        if counts:
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


def main() -> None:
    arguments = arguments_of(__doc__, steps=30, rounds=5).parse_args()
    settle(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        watches = measure(compose_default(Path(folder), arguments.steps), arguments.rounds)
    summary = summarise(watches)
    show(summary, machine())
    keep(arguments.output, {"steps": arguments.steps, "ways": summary})


if __name__ == "__main__":
    main()
