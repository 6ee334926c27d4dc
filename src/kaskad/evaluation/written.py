"""The figures of a report on a model of text: by their names, and as a table on the console."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from kaskad.metrics.registry import METRICS
from kaskad.reports.report import by_corpus


def figures_of(report: dict[str, Any]) -> dict[str, float]:
    """The figures of a report, each with the name of its corpus: ``test/perplexity``."""
    figures = {"parameters": float(report["parameters"])}
    for name, part in report["corpora"].items():
        figures |= {f"{name}/{figure}": value for figure, value in part["figures"].items()}
    return figures


def show_figures(
    report: dict[str, Any], console: Console, figures: Sequence[str], counted: str
) -> None:
    """Print these ``figures`` of every corpus, and how much of what is ``counted`` it has.

    Args:
        report: Of a test.
        console: Where to.
        figures: Their names in the registry of metrics.
        counted: The entry of a corpus that says how large it is, such as ``sentences``.
    """
    corpora = report["corpora"]
    table = by_corpus(report)
    for name in figures:
        metric = METRICS[name]
        values = (part["figures"][name] for part in corpora.values())
        table.add_row(metric.title, *map(metric.unit.write, values))
    table.add_row(counted, *(str(part[counted]) for part in corpora.values()))
    console.print(table)
