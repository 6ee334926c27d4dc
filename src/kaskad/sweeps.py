"""What each job of a sweep leaves in its folder, and the table shown when the sweep ends."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from kaskad.configuration import ConfigurationError, did_you_mean, nearest_first

RESULT_FILE = "result.json"  # in the folder of each job


@dataclass(order=True)
class JobResult:
    """What became of one job of a sweep, kept in its folder: jobs may run in any process."""

    job: int
    overrides: list[str]
    figures: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    def write(self, folder: Path) -> None:
        """Write the result into the folder of its job."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / RESULT_FILE).write_text(text, "utf-8")

    def figure(self, name: str, option: str) -> float:
        """The figure that `option` of the configuration names; raises `ConfigurationError`."""
        if name not in self.figures:
            question = did_you_mean(name, self.figures)
            known = nearest_first(name, self.figures) or "none"
            fault = f"{option}: {name} is no figure of job {self.job}{question}"
            raise ConfigurationError(f"{fault}\nits figures are {known}")
        return self.figures[name]


def read_results(sweep: Path) -> list[JobResult]:
    """The results of all jobs in the folder of a sweep, in the order of their numbers."""
    files = sweep.rglob(RESULT_FILE)
    return sorted(JobResult(**json.loads(file.read_text("utf-8"))) for file in files)


class SweepTable(Callback):
    """A row for each job when a sweep ends; then exit code 1 if any of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from rich.console import Console
        from rich.table import Table

        results = read_results(Path(config.hydra.sweep.dir))
        columns = list(dict.fromkeys(name for result in results for name in result.figures))
        table = Table("job", "overrides", *columns, "failure")
        for result in results:
            figures = (f"{result.figures[c]:.4g}" if c in result.figures else "" for c in columns)
            table.add_row(str(result.job), " ".join(result.overrides), *figures, result.failure)
        Console(markup=False, highlight=False).print(table)
        if any(result.failure for result in results):
            sys.exit(1)
