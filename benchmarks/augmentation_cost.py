"""What augmentation costs: audio seconds a second of each transform, and of training with all.

    python benchmarks/augmentation_cost.py [data=toloka …] [--seconds 60] [--steps 12] [--threads 2]

Options of train.py say which corpus and which model; without one, it is the default model on
data=toloka, whose synthetic stand-in needs no files.
"""

import argparse
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import hydra
import numpy as np
import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from training_speed import CONF, WARM_UP, Stopwatch, machine, train_barely

from kaskad import training
from kaskad.audio.reading import read_audio
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.ctc_recogniser import CTCRecogniser
from kaskad.reports.environment import environment

CHOICES = ("none", "waveform", "spec", "full")
REPEATS = 3


def compose(folder: Path, augment: str, steps: int, overrides: list[str]) -> DictConfig:
    """A training of ``steps`` steps after the warm-up, with this choice of augmentation."""
    steps += WARM_UP
    settings = {
        "augment": augment,
        "hydra.runtime.output_dir": folder,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": steps,
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
    """Audio seconds a second of each way with each choice, which take turns, there and back.

    A round that nobody counts goes before.
    """
    speeds: dict[str, dict[str, list[float]]] = {way: {c: [] for c in configs} for way in WAYS}
    untrained: dict[str, CTCRecogniser] = {}
    for choice, config in configs.items():
        lightning.seed_everything(config.seed, workers=True, verbose=False)
        training.fit_tokenizer(config, datas[choice])
        untrained[choice] = instantiate(config.model)
        datas[choice].connect(untrained[choice].tokenizer, untrained[choice].frame_count)
    for turn in track(range(rounds + 1), "Training", console=Console(stderr=True)):
        for choice in [*configs] if turn % 2 else reversed(configs):
            for name, way in WAYS.items():
                torch.manual_seed(0)
                watch = way(deepcopy(untrained[choice]), datas[choice], configs[choice])
                if turn > 0:
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", help="options of train.py, such as data=an4")
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio, for a transform")
    parser.add_argument("--steps", type=int, default=12, help="timed steps of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=["none", "full"])
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    overrides = arguments.overrides
    if not any(override.startswith("data=") for override in overrides):
        overrides = ["data=toloka", *overrides]
    with tempfile.TemporaryDirectory() as folder:
        configs = {
            choice: compose(Path(folder), choice, arguments.steps, overrides)
            for choice in dict.fromkeys(["none", *arguments.choices])
        }
        datas = {choice: training.load_data(config) for choice, config in configs.items()}
        everything = compose(Path(folder), "full", arguments.steps, overrides)
        costs = cost_of_transforms(everything, datas["none"], arguments.seconds)
        speeds = measure(configs, datas, arguments.rounds)
    show(costs, speeds, f"{' '.join(overrides)}; {machine()}")
    if arguments.output:
        content = {
            "environment": environment(0) | {"processor": machine()},
            "overrides": overrides,
            "transforms": costs,
            "audio_seconds_per_second": speeds,
            "share": {way: {c: share(each, c) for c in each} for way, each in speeds.items()},
        }
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
