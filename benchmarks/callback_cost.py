"""What watching a run costs: step times with the default callbacks, and with none.

    python benchmarks/callback_cost.py [--steps 30] [--threads 2] [--output callback_cost.json]

Both train the default model on the same batches of spoken numbers, in turn, from the same weights.
What callbacks do between epochs (checkpoints, samples) falls outside the steps.
"""

import tempfile
from collections import defaultdict
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any

import torch
from omegaconf import DictConfig, open_dict
from pytorch_lightning.profilers import SimpleProfiler
from rich.console import Console
from rich.table import Table
from timed_training import (
    WARM_UP,
    Stopwatch,
    arguments_of,
    compose_default,
    in_turn,
    keep,
    machine,
    settle,
    train_with_kaskad,
    untrained,
)

AIM = 0.02  # of a step, at most
STEP_HOOKS = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


def measure(config: DictConfig, rounds: int) -> dict[str, Any]:
    """Go ``rounds`` times with all callbacks, with none, and back; then once with a profiler."""
    recogniser, data = untrained(config)
    bare = config.copy()
    with open_dict(bare):
        bare.callbacks = {}
    ways = {"default": config, "none": bare}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for name, counts in in_turn(ways, rounds):
        torch.manual_seed(config.seed)
        watch = train_with_kaskad(deepcopy(recogniser), data, ways[name])
        if counts:
            seconds[name].append(watch.seconds_a_step)
    profiler = SimpleProfiler()
    train_with_kaskad(deepcopy(recogniser), data, config, profiler)
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
    arguments = arguments_of(__doc__, steps=30, rounds=5).parse_args()
    settle(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(compose_default(Path(folder), arguments.steps), arguments.rounds)
    show(found, machine())
    keep(arguments.output, found)


if __name__ == "__main__":
    main()
