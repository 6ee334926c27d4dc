"""What watching a run costs: step times with the default callbacks, and with none.

    python benchmarks/callback_cost.py [--steps 30] [--threads 2] [--output callback_cost.json]

Both train the default model on the same batches of spoken numbers, in turn, from the same weights.
What callbacks do between epochs (checkpoints, samples) falls outside the steps.
"""

import argparse
import json
import logging
import tempfile
import warnings
from collections import defaultdict
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.profilers import SimpleProfiler
from rich.console import Console
from rich.progress import track
from rich.table import Table
from training_speed import WARM_UP, Stopwatch, compose, machine

from kaskad import training
from kaskad.callbacks.skipped import SkippedUtterances
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.recogniser import Recogniser
from kaskad.reports.environment import environment

AIM = 0.02  # of a step, at most
STEP_HOOKS = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


def seconds_a_step(
    recogniser: Recogniser,
    data: SpeechDataModule,
    config: DictConfig,
    profiler: SimpleProfiler | None = None,
) -> float:
    """Train for a round; the seconds that its steps took, after the warm-up, on average."""
    stopwatch = Stopwatch(data.sample_rate)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    folder = Path(HydraConfig.get().runtime.output_dir)
    trainer = training.make_trainer(config, resolved, folder, [SkippedUtterances()])
    trainer.callbacks.append(stopwatch)  # type: ignore[attr-defined]
    if profiler is not None:
        trainer.profiler = profiler  # type: ignore[attr-defined]
    trainer.fit(recogniser, datamodule=data)
    ends = stopwatch.ends[WARM_UP - 1 :]
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def measure(config: DictConfig, rounds: int) -> dict[str, Any]:
    """Go ``rounds`` times with all callbacks, with none, and back; then once with a profiler.

    A round that nobody counts goes before: kernels for every shape are made and cached in it.
    """
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = training.load_data(config)
    training.fit_tokenizer(config, data)
    untrained: Recogniser = instantiate(config.model)
    data.connect(untrained.tokenizer, untrained.alignment_frames)
    bare = config.copy()
    with open_dict(bare):
        bare.callbacks = {}
    ways = {"default": config, "none": bare}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in track(range(rounds + 1), "Training", console=Console(stderr=True)):
        for name in [*ways] if turn % 2 else reversed(ways):
            torch.manual_seed(config.seed)
            took = seconds_a_step(deepcopy(untrained), data, ways[name])
            if turn > 0:
                seconds[name].append(took)
    profiler = SimpleProfiler()
    seconds_a_step(deepcopy(untrained), data, config, profiler)
    ratios = [a / b for a, b in zip(seconds["default"], seconds["none"], strict=True)]
    return {
        "seconds": seconds,
        "ratio": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "callbacks": in_callbacks(profiler),
    }


def in_callbacks(profiler: SimpleProfiler) -> dict[str, float]:
    """Seconds of a step that each callback took, the dearest first."""
    seconds: dict[str, float] = defaultdict(float)
    for action, durations in profiler.recorded_durations.items():
        callback, _, hook = action.removeprefix("[Callback]").rpartition(".")
        timed = durations[WARM_UP:]
        if action.startswith("[Callback]") and hook in STEP_HOOKS and timed:
            seconds[callback.partition("{")[0]] += sum(timed) / len(timed)
    seconds.pop(Stopwatch.__qualname__, None)
    return dict(sorted(seconds.items(), key=lambda each: -each[1]))


def show(found: dict[str, Any], machine: str) -> None:
    """Print a line for each callback, and the ratio of the two ways."""
    step = median(found["seconds"]["default"])
    table = Table("callback", caption=machine)
    for title in ("ms a step", "of a step"):
        table.add_column(title, justify="right")
    for name, seconds in found["callbacks"].items():
        table.add_row(name, f"{1000 * seconds:.3f}", f"{100 * seconds / step:.3f} %")
    together = sum(found["callbacks"].values())
    table.add_section()
    table.add_row("together", f"{1000 * together:.3f}", f"{100 * together / step:.3f} %")
    console = Console()
    console.print(table)
    console.print(
        f"a step takes {1000 * step:.1f} ms with the default callbacks, {found['ratio']:.4f} times "
        f"that with none ({found['lowest']:.4f} to {found['highest']:.4f}); aim: {1 + AIM}",
        highlight=False,
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
        found = measure(compose(Path(folder), arguments.steps), arguments.rounds)
    show(found, machine())
    if arguments.output:
        content = {"environment": environment(0) | {"processor": machine()}, **found}
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
