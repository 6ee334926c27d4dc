"""What is released: a trained model, and what its run says of how it came about."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaskad.runs.checkpoints import find_checkpoint, read_checkpoint
from kaskad.runs.folder import REPORT, read_environment
from kaskad.runs.released import ReleaseError

# Of a run's environment, what repeats it anywhere, and names no machine and no folder.
PUBLIC_ENVIRONMENT = ("seed", "commit", "python", "packages")
OF_THE_TRAINING = ("best_epoch", "best", "validation", "minutes", "epochs", "steps")
OF_AN_OVERLAP = ("kind", "policy", "corpus", "utterances", "of", "train_utterances")


@dataclass(frozen=True)
class Source:
    """A checkpoint with its ``config``; the ``report`` and the ``environment`` of its run are empty
    where it lies in no run's folder."""

    checkpoint: Path
    config: dict[str, Any]
    weights: dict[str, Any]
    report: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def overlap(self) -> dict[str, Any] | None:
        """What training shared with validation and test; ``None`` where nobody knows."""
        found = self.report.get("overlap")
        if not isinstance(found, dict):
            return None
        return {
            "policies": found.get("policies", {}),
            "found": [
                {name: each[name] for name in OF_AN_OVERLAP if name in each}
                for each in found.get("found", [])
            ],
        }

    @property
    def public_environment(self) -> dict[str, Any]:
        """What repeats the run."""
        kept = {name: self.environment.get(name) for name in PUBLIC_ENVIRONMENT}
        return kept | {"packages": kept["packages"] or {}, "seed": self.config.get("seed")}

    @property
    def trained(self) -> dict[str, Any]:
        """How long it was trained, and by what its weights were chosen."""
        training = self.report.get("training") or {}
        return {name: training[name] for name in OF_THE_TRAINING if name in training}


def find_source(run: str | Path) -> Source:
    """The model that a run's report is about; or a checkpoint, with what lies beside it.

    ``run`` is a run's folder, a folder of runs (of which the newest is taken), or a checkpoint.
    Raises ``CheckpointError`` where there is none, ``ReleaseError`` where it is a release already.
    """
    checkpoint = find_checkpoint(Path(run))
    if checkpoint.suffix == ".safetensors":
        raise ReleaseError(f"{run}: is a release already; name the run of which to make another")
    folder = checkpoint.resolve().parent.parent
    report = _read_report(folder / REPORT)
    if Path(run).is_dir():  # the report may be on the mean of several checkpoints
        used = (report.get("training") or {}).get("checkpoint")
        named = checkpoint.with_name(Path(str(used)).name)
        checkpoint = named if used and named.is_file() else checkpoint
    whole = read_checkpoint(checkpoint)
    config, weights = whole["config"], whole["state_dict"]
    return Source(checkpoint, config, weights, report, read_environment(folder))


def author_by_git() -> str | None:
    """The name that git would give a commit here."""
    try:
        answer = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True)
    except OSError:
        return None
    return answer.stdout.strip() or None


def _read_report(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
