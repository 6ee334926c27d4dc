"""The table of a recipe: what its runs gave, beside the command that repeats them."""

import json
import re
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from kaskad.config.messages import explain
from kaskad.config.overrides import typed_command
from kaskad.metrics.registry import Unit, find_metric
from kaskad.runs.environment import environment
from kaskad.sweeps.results import JobResult, SweepTable, read_results

# What only says how a recipe is run, and changes no figure.
HOW = r"hydra|trainer\.enable_"


class RecipeTable(Callback):
    """Writes ``<name>.md`` and ``.json`` into the folder of a sweep: a row a job, and mean ± std of
    the jobs that differ in the override ``over`` alone.

    Both are copied to ``experiments/`` unless the sweep is a trial, that is, unless the command
    line changes more than how the recipe is run (``hydra/launcher=…``, ``trainer.enable_…``). A
    sweep with failed jobs writes nothing, nor does a search (``sweep=…``), which has its own table.

    ``figures`` maps the figures of a run (``test/wer``) to the heads of their columns; they are
    written as ``kaskad.metrics.registry`` says, others (``training/minutes``) as they are.
    ``harmonic_mean`` gives each run further figures: a name for each, and the figures of which it
    is the mean.
    """

    def __init__(
        self,
        name: str,
        figures: Mapping[str, str],
        harmonic_mean: Mapping[str, Sequence[str]] | None = None,
        over: str = "seed",
    ) -> None:
        self.name = name
        self.over = over
        self.figures = dict(figures)
        self.harmonic_mean = dict(harmonic_mean or {})

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            self._write(config)
        except Exception as error:  # of which Hydra would make a warning, and end well
            print(f"experiments/{self.name}: no table: {explain(error)}", file=sys.stderr)
            SweepTable().on_multirun_end(config)  # its turn would come after this one
            sys.exit(1)

    def _write(self, config: DictConfig) -> None:
        sweep = Path(config.hydra.sweep.dir)
        results = read_results(sweep)
        if "sweep" in config or not results or any(result.failure for result in results):
            return
        made = _began(sweep)
        table = {
            # Without the folder of the script, which nobody else has.
            "command": typed_command().replace(sys.argv[0], Path(sys.argv[0]).name),
            "commit": made["commit"],
            "started": made["started"],
            "machine": f"{made['cpus']} CPUs, {', '.join(made['gpus']) or 'no GPU'}",
            "rows": [{"run": _swept(result), **self._columns(result)} for result in results],
        }
        text = json.dumps(table, ensure_ascii=False, indent=4) + "\n"
        files = [sweep / f"{self.name}.json", sweep / f"{self.name}.md"]
        files[0].write_text(text, encoding="utf-8")
        files[1].write_text(self._markdown(table), encoding="utf-8")
        if changes := self._changes(config):
            print(f"{files[1]} is the table of a trial: {' '.join(changes)}")
        else:
            sources = config.hydra.runtime.config_sources
            project = next(source.path for source in sources if source.provider == "project")
            for file in files:
                print(shutil.copy(file, Path(project) / "experiments" / file.name))

    def _changes(self, config: DictConfig) -> list[str]:
        """What the command line says beyond the name of the recipe and how to run it."""
        given = config.hydra.overrides
        name = f"+experiments={self.name}"
        settings = [o for o in given.task if o != name and not re.match(HOW, o)]
        return settings + [o for o in given.hydra if re.match(r"\W*hydra\W(sweeper|callbacks)", o)]

    def _columns(self, result: JobResult) -> dict[str, float]:
        for name, parts in self.harmonic_mean.items():
            values = [result.figure(part, f"harmonic_mean.{name}") for part in parts]
            result.figures[name] = statistics.harmonic_mean(values)  # 0 where one of them is 0
        return {name: round(result.figure(name, "figures"), 6) for name in self.figures}

    def _unit(self, name: str) -> Unit:
        """That of the metric; a harmonic mean has the unit of its parts."""
        for each in (name, *self.harmonic_mean.get(name, ())):
            if (metric := find_metric(each)) is not None:
                return metric.unit
        return Unit(digits=1)

    def _markdown(self, table: Mapping[str, Any]) -> str:
        units = {name: self._unit(name) for name in self.figures}
        lines = [
            f"# {self.name}",
            "",
            f"`{table['command']}`",
            "",
            f"Commit {table['commit']}, {table['started']}, {table['machine']}.",
            "",
            "| run | " + " | ".join(self.figures.values()) + " |",
            "|---|" + "---:|" * len(self.figures),
        ]
        for row in table["rows"]:
            cells = [unit.write(row[name]) for name, unit in units.items()]
            lines.append(f"| {row['run']} | " + " | ".join(cells) + " |")
        for what, rows in self._alike(table["rows"]).items():
            if len(rows) > 1:
                cells = [_mean_and_std(u, [row[name] for row in rows]) for name, u in units.items()]
                head = f"**{what}: mean ± std**" if what else "**mean ± std**"
                lines.append(f"| {head} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def _alike(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
        """The rows that differ in ``over`` alone, by what they have in common."""
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            common = [o for o in row["run"].split() if not o.startswith(f"{self.over}=")]
            groups.setdefault(" ".join(common), []).append(row)
        return groups


def _began(sweep: Path) -> dict[str, Any]:
    """Where the first job began: the code may have changed by the time the last one ends."""
    for file in sorted(sweep.rglob("environment.json")):
        return dict(json.loads(file.read_text(encoding="utf-8")))
    return environment(seed=None)


def _swept(result: JobResult) -> str:
    """The overrides that tell this job from the others."""
    named = rf"\+?experiments=|{HOW}"
    return " ".join(o for o in result.overrides if not re.match(named, o))


def _mean_and_std(unit: Unit, values: list[float]) -> str:
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    return f"{unit._replace(sign='').write(mean, 2)} ± {unit.write(deviation, 2)}"
