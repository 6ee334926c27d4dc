"""metrics.csv, which a run that goes on completes rather than begins anew."""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities import rank_zero_only

from kaskad.loggers.forgiving import forgiving


@forgiving("log_metrics", "log_hyperparams", "save", "finalize")
class ContinuedCSVLogger(CSVLogger):
    """Keeps what an interrupted run had logged, up to the step from which it goes on.

    Lightning's own logger deletes it.
    """

    def __init__(self, save_dir: str, name: str, version: str) -> None:
        super().__init__(save_dir, name, version)
        self._before = Path(self.log_dir, "metrics.before.csv")
        metrics = Path(self.log_dir, "metrics.csv")
        if metrics.exists():
            metrics.replace(self._before)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        if step is not None and self._before.exists():
            with self._before.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) < step]
            self.experiment.metrics += [{k: v for k, v in row.items() if v} for row in rows]
            self.save()
            self._before.unlink()
        super().log_metrics(metrics, step)
