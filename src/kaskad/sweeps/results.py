"""What each job of a sweep leaves in its folder, and the table shown when the sweep ends."""

import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from kaskad.config.messages import ConfigurationError, did_you_mean, explain, nearest_first
from kaskad.storage.files import write_text, written_whole

DIED = "its process ended before it could tell why"
JOBS_FILE = "jobs.json"  # in the folder of a sweep
RESULT_FILE = "result.json"  # in the folder of each job
WIDEST = 40  # characters of a column for which the others make room; more is wrapped


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
        with written_whole(folder / RESULT_FILE) as file:
            file.write(text.encode())

    def figure(self, name: str, option: str) -> float:
        """The figure that `option` of the configuration names; raises `ConfigurationError`."""
        if name not in self.figures:
            question = did_you_mean(name, self.figures)
            known = nearest_first(name, self.figures) or "none"
            fault = f"{option}: {name} is no figure of job {self.job}{question}"
            raise ConfigurationError(f"{fault}\nits figures are {known}")
        return self.figures[name]


def read_result(file: Path) -> JobResult:
    """What `JobResult.write` has written. Raises ``ValueError`` for anything else."""
    try:
        return JobResult(**json.loads(file.read_text("utf-8")))
    except TypeError:
        raise ValueError(f"{file}: not the result of a job of a sweep") from None


@dataclass(frozen=True)
class Job:
    """One job of a sweep: its number, what the command line gives it, and its folder."""

    number: int
    overrides: list[str]
    folder: Path

    def is_done(self) -> bool:
        """Whether an earlier command came to the end of this job."""
        result = self._left()
        return result is not None and not result.failure

    def is_occupied(self) -> bool:
        """Whether another job has its run in this folder."""
        file = self.folder / ".hydra" / "overrides.yaml"
        if not file.exists():
            return False
        try:
            return list(OmegaConf.load(file)) != self.overrides
        except YAMLError:  # torn
            return True

    def result(self) -> JobResult:
        """What became of it; if it left nothing, it must have died."""
        return self._left() or JobResult(self.number, self.overrides, failure=DIED)

    def _left(self) -> JobResult | None:
        """The result in its folder; None where there is none, or that of another job."""
        try:
            result = read_result(self.folder / RESULT_FILE)
        except (OSError, ValueError):
            return None
        return result if result.overrides == self.overrides else None


def write_jobs(jobs: Sequence[Job], sweep: Path) -> None:
    """Note which jobs a sweep has, in its folder, where those of earlier ones may lie, too."""
    listed = [[job.number, job.overrides, str(job.folder.relative_to(sweep))] for job in jobs]
    text = json.dumps(listed, indent=2, ensure_ascii=False)
    write_text(text, sweep / JOBS_FILE)


def read_results(sweep: Path) -> list[JobResult]:
    """The results of all jobs of the sweep in a folder, in the order of their numbers."""
    file = sweep / JOBS_FILE
    if not file.exists():  # a search, each of whose trials has a number of its own
        results = []
        for each in sweep.rglob(RESULT_FILE):
            with suppress(ValueError):  # of something else that lies here
                results.append(read_result(each))
        return sorted(results)
    jobs = json.loads(file.read_text("utf-8"))
    return [Job(number, overrides, sweep / name).result() for number, overrides, name in jobs]


class SweepTable(Callback):
    """A row for each job when a sweep ends; then exit code 1 if any of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            results = read_results(Path(config.hydra.sweep.dir))
            self.show(config, results)
        except Exception as error:  # of which Hydra would make a warning, and end well
            print(f"{config.hydra.sweep.dir}: no table: {explain(error)}", file=sys.stderr)
            sys.exit(1)
        if any(result.failure for result in results):
            sys.exit(1)

    def show(self, config: DictConfig, results: Sequence[JobResult]) -> None:
        """Print the table, and leave the whole of it in jobs.csv."""
        import polars as pl

        if not results:
            return
        metric = config.get("optimised_metric")
        known = dict.fromkeys(name for result in results for name in result.figures)
        figures = sorted(known, key=lambda name: name != metric)
        failed = any(result.failure for result in results)
        rows: list[dict[str, Any]] = [
            {
                "job": result.job,
                "overrides": " ".join(result.overrides),
                **({"failure": result.failure} if failed else {}),
                **{name: result.figures.get(name) for name in figures},
            }
            for result in results
        ]
        file = Path(config.hydra.sweep.dir) / "jobs.csv"
        table = pl.DataFrame(rows, infer_schema_length=None)
        common = set.intersection(*(set(result.overrides) for result in results))
        if len(results) > 1:
            for row, result in zip(rows, results, strict=True):
                row["overrides"] = " ".join(o for o in result.overrides if o not in common)
        print_table(list(rows[0]), [list(row.values()) for row in rows], file)
        table.write_csv(file)  # after it is shown, for this may fail


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], file: Path) -> None:
    """Print a table, its figures in four digits: as many columns as the console has room for.

    ``file`` has them all, and is named where some are missing.
    """
    from rich.console import Console
    from rich.table import Table

    cells = [[_in_short(cell) for cell in row] for row in rows]
    console = Console(markup=False, highlight=False)
    widths = (max(map(len, column)) for column in zip(columns, *cells, strict=True))
    ends = list(accumulate(min(width, WIDEST) + 3 for width in widths))
    shown = max(2, bisect_right(ends, console.width - 1))
    table = Table(*columns[:shown])
    for row in cells:
        table.add_row(*row[:shown])
    console.print(table)
    if shown < len(columns):
        console.print(f"and {len(columns) - shown} more columns: {file}")


def _in_short(cell: Any) -> str:
    return "" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)
