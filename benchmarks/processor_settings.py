"""What settings of the processor's libraries do to a training: threads, and kept kernels.

    python benchmarks/processor_settings.py threads [--steps 6] [--rounds 1]
    python benchmarks/processor_settings.py kernels [--steps 60] [--models cnn2d_lstm quartznet]

``threads``: the seconds of a step with one thread and with two, that wait for each other as GNU
OpenMP does unless told otherwise (spinning) or asleep (``OMP_WAIT_POLICY=passive``); with nothing
else to do, as far as the machine lets it, and beside two processes that never pause.

``kernels``: the memory that steps on batches of ever other lengths add, and the seconds of a step,
by how many kernels oneDNN keeps (``ONEDNN_PRIMITIVE_CACHE_CAPACITY``, 1024 unless told otherwise).

Each measurement is a process of its own, since libraries read these settings when they are loaded.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

WARM_UP = 4
THREADS = {
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads, spinning": {"OMP_NUM_THREADS": "2"},
    "2 threads, asleep": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
}
KERNELS = (1024, 128, 16)


def main() -> None:
    """Measure, show, and keep what was asked for."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=("threads", "kernels", "step"))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=["cnn2d_lstm"])
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    if options.what == "step":
        print(json.dumps(train(options.models[0], options.steps)))
        return
    measure = measure_threads if options.what == "threads" else measure_kernels
    found = measure(options)
    table = Table(*found[0])
    for row in found:
        table.add_row(*(f"{x:.3f}" if isinstance(x, float) else str(x) for x in row.values()))
    Console().print(table)
    if options.output:
        options.output.write_text(json.dumps(found, indent=4), "utf-8")


def measure_threads(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each way to wait, in turn, alone and beside other work."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for name, settings in THREADS.items():
            for place in ("alone", "busy"):
                with busy(2 if place == "busy" else 0):
                    step = in_a_process(options.models[0], options.steps, settings)["seconds"]
                seconds.setdefault((name, place), []).append(step)
    base = {place: median(seconds["1 thread", place]) for place in ("alone", "busy")}
    return [
        {
            "threads": name,
            "alone, s a step": median(seconds[name, "alone"]),
            "times 1 thread": median(seconds[name, "alone"]) / base["alone"],
            "busy, s a step": median(seconds[name, "busy"]),
            "times 1 thread, busy": median(seconds[name, "busy"]) / base["busy"],
        }
        for name in THREADS
    ]


def measure_kernels(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each model and number of kernels."""
    rows = []
    for model in options.models:
        for kept in KERNELS:
            settings = {"OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": str(kept)}
            found = in_a_process(model, options.steps, settings)
            rows.append({"model": model, "kernels": kept, **found})
    return rows


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes beside that never pause."""
    working = [multiprocessing.Process(target=_work, daemon=True) for _ in range(processes)]
    for process in working:
        process.start()
    try:
        yield
    finally:
        for process in working:
            process.kill()


def in_a_process(model: str, steps: int, settings: dict[str, str]) -> dict[str, float]:
    """What ``train`` finds, with these variables of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    command = [sys.executable, __file__, "step", "--models", model, "--steps", str(steps)]
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def train(model: str, steps: int) -> dict[str, float]:
    """Train on noise in batches of ever other lengths: the median of the seconds of a step, the GB
    in memory after the first steps, and what the others added."""
    import torch
    from hydra.utils import instantiate
    from timed_training import compose

    from kaskad.data.batch import Collate, Utterance

    config = compose(Path(tempfile.mkdtemp()), steps, [f"model={model}"])
    torch.manual_seed(0)
    words = ["один", "два", "три", "пять"]
    config.tokenizer.update(instantiate(config.tokenizer).fit(words).state())
    recogniser = instantiate(config.model).train()
    optimizer = instantiate(config.optimizer)(recogniser.parameters())
    collate = Collate(recogniser.tokenizer, language="ru", corpus="train", branch="ru")
    seconds, first = [], 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            first = resident()
        samples = 24_000 + 640 * ((37 * step) % 101)  # 1.5 to 5.5 s, no length twice in a hundred
        noise = torch.randn(8, samples).mul(0.1).numpy()
        clips = [Utterance(str(n), words[n % 4], wave) for n, wave in enumerate(noise)]
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.trainer.precision != "32-true"):
            loss = recogniser.training_losses(collate(clips))["loss"].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": median(seconds[WARM_UP:]),
        "GB at first": first,
        "GB added": resident() - first,
    }


def resident() -> float:
    """GB of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def _work() -> None:
    while True:
        sum(range(1000))


if __name__ == "__main__":
    main()
