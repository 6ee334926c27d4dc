"""Write a recogniser for other programs: kaskad export checkpoint=… format=onnx output=…"""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.table import Table

from kaskad.commands.evaluate import report_of
from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.own_data import add_own_data
from kaskad.evaluation.recogniser import figures_of
from kaskad.export.decoding import decoding_through, open_graph
from kaskad.export.formats import FACTS, GRAPH
from kaskad.export.formats import export as write_export
from kaskad.metrics.registry import shown_in
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.runs.checkpoints import find_checkpoint
from kaskad.runs.environment import environment


def export(config: DictConfig) -> dict[str, float]:
    """Write ``config.checkpoint`` in the form ``config.format`` into the folder ``config.output``.

    A graph of 8 bits is tested beside the whole one, and what it costs stands in export.json;
    another one is where ``data`` is given. Returns the figures of that test.
    """
    if not config.checkpoint:
        raise ConfigurationError("no value yet for checkpoint\ngive it: checkpoint=runs/…")
    folder = Path(config.output)
    if folder.exists():
        raise ConfigurationError(f"output={folder}: is there already; name a folder that is not")
    checkpoint = find_checkpoint(Path(config.checkpoint))
    recogniser, _ = load_recogniser(
        checkpoint, decoder=config.get("decoder"), trusted=config.trusted
    )
    small = config.format == "onnx_int8"
    if small and config.get("data") is None:
        with open_dict(config):
            config.title = add_own_data(config, [checkpoint])
    facts = write_export(recogniser, config.format, folder)
    figures: dict[str, float] = {}
    if config.get("data") is not None and isinstance(recogniser, CTCRecogniser):
        forms = [form for form in GRAPH if (folder / GRAPH[form]).is_file()]
        tested: dict[str, Recogniser] = {"pytorch": recogniser}
        for form in forms:
            tested[form] = decoding_through(open_graph(folder / GRAPH[form]), recogniser)
        facts["tested"] = {name: _test(config, each, name) for name, each in tested.items()}
        text = json.dumps(facts, ensure_ascii=False, indent=4)
        (folder / FACTS).write_text(text, encoding="utf-8")
        figures = {
            f"{form}/{name}": value
            for form, each in facts["tested"].items()
            for name, value in each.items()
        }
    _show(facts, folder)
    return figures


def _test(config: DictConfig, recogniser: Recogniser, name: str) -> dict[str, float]:
    """The figures of a recogniser on the test corpora of the configuration."""
    folder = Path(config.run_dir) / name
    folder.mkdir(parents=True)
    title = f"{name} on {config.title}"
    report = report_of(
        recogniser, config, title, {"environment": environment(config.get("seed"))}, folder
    )
    return figures_of(report)


def _show(facts: dict[str, Any], folder: Path) -> None:
    console = Console()
    size = facts["bytes"] / 1e6
    console.print(
        f"wrote {folder}: {facts['graph']}, {size:.1f} MB, log-probabilities within "
        f"{facts['largest_difference']:.1e} of PyTorch's",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if "tested" not in facts:
        return
    tested = facts["tested"]
    table = Table("", *tested)
    names = dict.fromkeys(name for each in tested.values() for name in each)
    known = shown_in("report", [{"figures": {n.rpartition("/")[2]: 0 for n in names}}])
    for name in names:
        metric = known.get(name.rpartition("/")[2])
        if metric is not None:
            values = (each.get(name) for each in tested.values())
            table.add_row(
                f"{name.rpartition('/')[0]} {metric.title}",
                *("–" if value is None else metric.unit.write(value) for value in values),
            )
    for name in names:
        if name.endswith("audio_seconds_per_second"):
            table.add_row(
                f"{name.partition('/')[0]} audio seconds per second",
                *(f"{each[name]:.0f}" for each in tested.values()),
            )
    console.print(table)
