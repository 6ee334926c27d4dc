"""What augmentation costs: audio seconds a second of each transform, and of training with all.

    python benchmarks/augmentation_cost.py [data=toloka …] [--seconds 60] [--steps 12] [--threads 2]

Options of train.py say which corpus and which model; without one, it is the default model on
data=toloka, whose synthetic stand-in needs no files.
"""

import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from timed_training import (
    Stopwatch,
    arguments_of,
    compose,
    in_turn,
    keep,
    machine,
    settle,
    train_barely,
    untrained,
)

from kaskad.audio.reading import read_audio
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.training_data import load_data

CHOICES = ("none", "waveform", "spec", "full")
REPEATS = 3


def cost_of_transforms(
    config: DictConfig, data: SpeechDataModule, seconds: float
) -> dict[str, Any]:
    """Audio seconds that one core reads, and varies by each transform, in a second of its time.

    A transform alone varies every clip; ``waveform`` is all of them, each in its share.
    """
    (name,) = data.of_role("train")
    paths, rate = data.manifests[name]["path"], data.sample_rate
    enough = int((data.manifests[name]["duration"].cum_sum() < seconds).sum()) + 1
    clips = [read_audio(path, rate) for path in paths[:enough]]
    audio = sum(map(len, clips)) / rate

    def speed(way: Callable[[int], Any]) -> float:
        taken = []
        for _ in range(REPEATS):
            began = time.process_time()
            for number in range(len(clips)):
                way(number)
            taken.append(time.process_time() - began)
        return audio / min(taken)

    def speed_of(augmentation: DictConfig) -> float:
        vary = instantiate(augmentation)
        return speed(lambda number: vary(clips[number], rate, np.random.default_rng(number)))

    speeds = {"reading": speed(lambda number: read_audio(paths[number], rate))}
    for transform in instantiate(config.augment.waveform).transforms:
        alone = config.augment.waveform.copy()
        alone.only = [transform]
        if "p" in alone.transforms[transform]:
            alone.transforms[transform].p = 1.0
        speeds[transform] = speed_of(alone)
    speeds["waveform"] = speed_of(config.augment.waveform)
    shares = {name: node.get("p") for name, node in config.augment.waveform.transforms.items()}
    return {name: {"speed": value, "p": shares.get(name)} for name, value in speeds.items()}


def load_batches(
    recogniser: CTCRecogniser, data: SpeechDataModule, config: DictConfig
) -> Stopwatch:
    """Make the batches of a training, and throw them away."""
    stopwatch = Stopwatch(data.sample_rate)
    for batch in islice(data.train_dataloader(), config.trainer.limit_train_batches):
        stopwatch.note(batch, torch.zeros(()))
    return stopwatch


WAYS = {"loading": load_batches, "training": train_barely}


def measure(
    configs: dict[str, DictConfig], datas: dict[str, SpeechDataModule], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Audio seconds a second of each way with each choice."""
    speeds: dict[str, dict[str, list[float]]] = {way: {c: [] for c in configs} for way in WAYS}
    recognisers = {c: untrained(config, datas[c])[0] for c, config in configs.items()}
    for choice, counts in in_turn(configs, rounds):
        for name, way in WAYS.items():
            torch.manual_seed(0)
            watch = way(deepcopy(recognisers[choice]), datas[choice], configs[choice])
            if counts:
                speeds[name][choice].append(watch.speed)
    return speeds


def share(speeds: dict[str, list[float]], choice: str) -> float:
    """Of the speed without augmentation: the median of the rounds, in which they are neighbours."""
    return median(mine / plain for mine, plain in zip(speeds[choice], speeds["none"], strict=True))


def show(costs: dict[str, Any], speeds: dict[str, dict[str, list[float]]], caption: str) -> None:
    transforms = Table("", title="one core, waveforms")
    for title in ("varies", "audio s/s"):
        transforms.add_column(title, justify="right")
    for name, cost in costs.items():
        varied = "" if cost["p"] is None else f"{cost['p']:.0%}"
        transforms.add_row(name, varied, f"{cost['speed']:,.0f}")
    shares = Table("augment=", title="of the speed without augmentation", caption=caption)
    for way in speeds:
        for title in (f"{way}, audio s/s", "share"):
            shares.add_column(title, justify="right")
    for choice in next(iter(speeds.values())):
        cells = (
            cell
            for each in speeds.values()
            for cell in (f"{median(each[choice]):.1f}", f"{share(each, choice):.2f}")
        )
        shares.add_row(choice, *cells)
    Console().print(transforms, shares)


def main() -> None:
    parser = arguments_of(__doc__, steps=12, rounds=3)
    parser.add_argument("overrides", nargs="*", help="options of train.py, such as data=an4")
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio, for a transform")
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=["none", "full"])
    arguments = parser.parse_args()
    settle(arguments.threads)
    overrides = arguments.overrides
    if not any(override.startswith("data=") for override in overrides):
        overrides = ["data=toloka", *overrides]

    def composed(choice: str) -> DictConfig:
        return compose(Path(folder), arguments.steps, [*overrides, f"augment={choice}"])

    with tempfile.TemporaryDirectory() as folder:
        configs = {
            choice: composed(choice) for choice in dict.fromkeys(["none", *arguments.choices])
        }
        datas = {choice: load_data(config) for choice, config in configs.items()}
        costs = cost_of_transforms(composed("full"), datas["none"], arguments.seconds)
        speeds = measure(configs, datas, arguments.rounds)
    show(costs, speeds, f"{' '.join(overrides)}; {machine()}")
    figures = {
        "overrides": overrides,
        "transforms": costs,
        "audio_seconds_per_second": speeds,
        "share": {way: {c: share(each, c) for c in each} for way, each in speeds.items()},
    }
    keep(arguments.output, figures)


if __name__ == "__main__":
    main()
