"""What each job of a sweep leaves in its folder, and the table shown when the sweep ends."""

import json
import sys
from collections.abc import Iterable, Sequence
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


def read_result(file: Path) -> JobResult:
    """What `JobResult.write` has written."""
    return JobResult(**json.loads(file.read_text("utf-8")))


def read_results(sweep: Path) -> list[JobResult]:
    """The results of all jobs in the folder of a sweep, in the order of their numbers."""
    return sorted(map(read_result, sweep.rglob(RESULT_FILE)))


class SweepTable(Callback):
    """A row for each job when a sweep ends; then exit code 1 if any of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        results = read_results(Path(config.hydra.sweep.dir))
        self.show(config, results)
        if any(result.failure for result in results):
            sys.exit(1)

    def show(self, config: DictConfig, results: Sequence[JobResult]) -> None:
        """Print the table."""
        columns = list(dict.fromkeys(name for result in results for name in result.figures))
        print_table(
            ["job", "overrides", *columns, "failure"],
            [
                [
                    result.job,
                    " ".join(result.overrides),
                    *map(result.figures.get, columns),
                    result.failure,
                ]
                for result in results
            ],
        )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table with its figures in four digits."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row)
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    Console(markup=False, highlight=False).print(table)
