"""The table of a recipe: what its runs gave, beside the command that repeats them."""

import json
import re
import shlex
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from kaskad.reports.environment import environment


class RecipeTable(Callback):
    """Writes ``experiments/<name>.md`` and ``.json`` when a sweep ends: a row a job, mean ± std.

    ``figures`` maps the figures of a run (``test/wer``) to the heads of their columns; shares are
    shown in percent, other figures (``training/minutes``) as they are. A sweep with failed jobs
    writes nothing.
    """

    def __init__(self, name: str, figures: Mapping[str, str]) -> None:
        self.name = name
        self.figures = dict(figures)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        results = [
            json.loads(file.read_text(encoding="utf-8"))
            for file in Path(config.hydra.sweep.dir).rglob("result.json")
        ]
        results.sort(key=lambda result: result["job"])
        if not results or any(result["failure"] for result in results):
            return
        made = environment(seed=None)
        rows = [{"run": _swept(result), **self._columns(result["figures"])} for result in results]
        table = {
            "command": shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
            "commit": made["commit"],
            "started": made["started"],
            "machine": f"{made['cpus']} CPUs, {', '.join(made['gpus']) or 'no GPU'}",
            "rows": rows,
        }
        text = json.dumps(table, ensure_ascii=False, indent=4) + "\n"
        sources = config.hydra.runtime.config_sources
        conf = Path(next(source.path for source in sources if source.provider == "main"))
        beside = conf.parent / "experiments" / self.name
        beside.with_suffix(".json").write_text(text, encoding="utf-8")
        beside.with_suffix(".md").write_text(self._markdown(table), encoding="utf-8")

    def _columns(self, figures: Mapping[str, float]) -> dict[str, float]:
        return {name: round(figures[name], 6) for name in self.figures if name in figures}

    def _markdown(self, table: Mapping[str, Any]) -> str:
        names = [name for name in self.figures if name in table["rows"][0]]
        lines = [
            f"# {self.name}",
            "",
            f"`{table['command']}`",
            "",
            f"Commit {table['commit']}, {table['started']}, {table['machine']}.",
            "",
            "| run | " + " | ".join(self.figures[name] for name in names) + " |",
            "|---|" + "---:|" * len(names),
        ]
        for row in table["rows"]:
            cells = [_shown(name, row[name]) for name in names]
            lines.append(f"| {row['run']} | " + " | ".join(cells) + " |")
        if len(table["rows"]) > 1:
            cells = [_mean_and_std(name, [row[name] for row in table["rows"]]) for name in names]
            lines.append("| **mean ± std** | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def _swept(result: Mapping[str, Any]) -> str:
    """The overrides that tell this job from the others: all but the recipe's name."""
    return " ".join(o for o in result["overrides"] if not re.match(r"\+?experiments=|hydra", o))


def _is_share(name: str) -> bool:
    return not name.startswith("training/")


def _shown(name: str, value: float) -> str:
    return f"{100 * value:.2f} %" if _is_share(name) else f"{value:.1f}"


def _mean_and_std(name: str, values: list[float]) -> str:
    scale = 100 if _is_share(name) else 1
    mean, deviation = statistics.mean(values) * scale, statistics.stdev(values) * scale
    return f"{mean:.2f} ± {deviation:.2f}" + (" %" if _is_share(name) else "")
