"""environment.json: what is needed to repeat a run."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig

from kaskad.config.overrides import typed_command, typed_overrides
from kaskad.runs import processor, slurm

PACKAGES = (
    "kaskad", "torch", "torchaudio", "pytorch-lightning", "hydra-core", "numpy", "polars",
    "soundfile", "soxr", "audiomentations", "espeakng-loader", "jiwer",
)  # fmt: skip


def environment(seed: int | None) -> dict[str, Any]:
    """Versions, commit, seed, command and machine of this process."""
    return {
        "command": typed_command(),
        "directory": os.getcwd(),
        "overrides": typed_overrides() if HydraConfig.initialized() else [],
        "slurm_job": slurm.job_id(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seed": seed,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processor": processor.settings(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _commit() -> str | None:
    """The commit of the code, with ``+changes`` if it was edited since; None outside git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True)
    except FileNotFoundError:
        return None
    if commit.returncode != 0:
        return None
    return commit.stdout.strip() + ("+changes" if changed.returncode else "")
