"""The table of figures of README.md and README.ru.md, made from the tables of experiments/:
`make figures`."""

import json
import re
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kaskad.metrics.registry import Unit, find_metric

ROOT = Path(__file__).resolve().parents[2]
TABLE = re.compile(
    r"(<!-- figures: made by `make figures` -->\n).*?(<!-- end of figures -->)", re.DOTALL
)


class Language(NamedTuple):
    """What a README calls things: ``corpus`` is the key of a row in docs/figures.yaml."""

    corpus: str
    headings: tuple[str, ...]
    titles: Mapping[str, str]
    one_run: str
    runs: str
    point: str = "."


READMES = {
    "README.md": Language(
        "corpus", ("corpus", "`model=`", "figure", "recipe"), {}, "1 run", "{} runs"
    ),
    "README.ru.md": Language(
        "russian",
        ("корпус", "`model=`", "показатель", "рецепт"),
        {
            "exact numbers": "точных чисел",
            "exact": "точных",
            "accuracy": "точность",
            "balanced accuracy": "сбалансированная точность",
        },
        "1 запуск",
        "запусков: {}",
        ",",
    ),
}


def table(language: Language) -> str:
    """The rows that docs/figures.yaml names: mean ± standard deviation over a recipe's runs."""
    wanted = yaml.safe_load((ROOT / "docs" / "figures.yaml").read_text("utf-8"))
    lines = [f"| {' | '.join(language.headings)} |", "|---|---|---|---|"]
    for each in wanted:
        recipe, shown = each["recipe"], "; ".join(_figures(each, language))
        link = f"[{recipe}](experiments/{recipe}.md)"
        lines.append(f"| {each[language.corpus]} | `{each['model']}` | {shown} | {link} |")
    return "\n".join(lines) + "\n"


def with_table(readme: str, language: Language) -> str:
    """The text of a README with a table that is up to date."""
    return TABLE.sub(lambda found: f"{found[1]}{table(language)}{found[2]}", readme)


def _figures(wanted: Mapping[str, Any], language: Language) -> list[str]:
    file = ROOT / "experiments" / f"{wanted['recipe']}.json"
    rows = json.loads(file.read_text("utf-8"))["rows"]
    rows = [row for row in rows if re.search(wanted.get("runs", ""), row["run"])]
    if not rows:
        raise SystemExit(f"{file.name} has no run that matches {wanted['runs']!r}")
    return [_written(name, title, rows, language) for name, title in wanted["figures"].items()]


def _written(name: str, title: str, rows: list[dict[str, Any]], language: Language) -> str:
    metric = find_metric(name)
    unit = metric.unit if metric else Unit(digits=1)
    values = [row[name] for row in rows]
    figure, runs = unit.write(values[0]), language.one_run
    if len(values) > 1:
        mean, spread = statistics.mean(values), statistics.stdev(values)
        figure = f"{unit._replace(sign='').write(mean)} ± {unit.write(spread)}"
        runs = language.runs.format(len(values))
    return f"{language.titles.get(title, title)} {figure.replace('.', language.point)} ({runs})"


if __name__ == "__main__":
    for name, language in READMES.items():
        readme = ROOT / name
        readme.write_text(with_table(readme.read_text("utf-8"), language), encoding="utf-8")
        print(f"{name}: the table of figures is up to date", file=sys.stderr)
