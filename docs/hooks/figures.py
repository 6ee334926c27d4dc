"""The README's table of figures, made from the tables of experiments/: `make figures`."""

import json
import re
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kaskad.metrics.registry import Unit, find_metric

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TABLE = re.compile(
    r"(<!-- figures: made by `make figures` -->\n).*?(<!-- end of figures -->)", re.DOTALL
)


def table() -> str:
    """The rows that docs/figures.yaml names: mean ± standard deviation over a recipe's runs."""
    wanted = yaml.safe_load((ROOT / "docs" / "figures.yaml").read_text("utf-8"))
    lines = ["| corpus | `model=` | figure | recipe |", "|---|---|---|---|"]
    for each in wanted:
        recipe, shown = each["recipe"], "; ".join(_figures(each))
        link = f"[{recipe}](experiments/{recipe}.md)"
        lines.append(f"| {each['corpus']} | `{each['model']}` | {shown} | {link} |")
    return "\n".join(lines) + "\n"


def with_table(readme: str) -> str:
    """The README with a table that is up to date."""
    return TABLE.sub(lambda found: f"{found[1]}{table()}{found[2]}", readme)


def _figures(wanted: Mapping[str, Any]) -> list[str]:
    file = ROOT / "experiments" / f"{wanted['recipe']}.json"
    rows = json.loads(file.read_text("utf-8"))["rows"]
    rows = [row for row in rows if re.search(wanted.get("runs", ""), row["run"])]
    if not rows:
        raise SystemExit(f"{file.name} has no run that matches {wanted['runs']!r}")
    return [_written(name, title, rows) for name, title in wanted["figures"].items()]


def _written(name: str, title: str, rows: list[dict[str, Any]]) -> str:
    metric = find_metric(name)
    unit = metric.unit if metric else Unit(digits=1)
    values = [row[name] for row in rows]
    if len(values) == 1:
        return f"{title} {unit.write(values[0])} (1 run)"
    mean, spread = statistics.mean(values), statistics.stdev(values)
    return (
        f"{title} {unit._replace(sign='').write(mean)} ± {unit.write(spread)} ({len(values)} runs)"
    )


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), encoding="utf-8")
    print(f"{README.name}: the table of figures is up to date", file=sys.stderr)
