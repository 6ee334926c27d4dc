"""Estimate an n-gram language model from transcripts and text files: kaskad estimate_lm …"""

import json
import logging
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from kaskad.data.corpus import read_transcripts
from kaskad.models.recogniser import load_recogniser

log = logging.getLogger(__name__)


def estimate_lm(config: DictConfig) -> dict[str, float]:
    """Make ``config.language_model`` of the transcripts of ``config.data`` and of its own files.

    Written are ``config.output``, else language_model.arpa in the folder of the run, and beside it
    ….frequencies.csv and ….report.json. Labels, where these are its units, are those of the
    recogniser ``config.checkpoint``, else taken from the text.
    """
    arpa = Path(config.output or f"{config.run_dir}/language_model.arpa")
    if arpa.suffix != ".arpa":
        raise ValueError(f"output={arpa}: a language model is written as ….arpa")
    arpa.parent.mkdir(parents=True, exist_ok=True)
    corpora = instantiate(config.data.corpora, _convert_="all") if config.data else {}
    make = instantiate(config.language_model, _convert_="all")
    labels = {}
    if config.checkpoint is not None:
        labels["tokenizer"] = load_recogniser(config.checkpoint)[0].tokenizer
    report = make(read_transcripts(corpora), arpa, **labels)
    report_file = arpa.with_suffix(".report.json")
    report_file.write_text(json.dumps(report, ensure_ascii=False, indent=4), encoding="utf-8")
    log.info("wrote %s, %s", arpa, report_file.name)
    show(report, Console())
    return figures(report)


def show(report: dict[str, Any], console: Console) -> None:
    """Print the n-grams and discounts of each order, and the perplexity."""
    table = Table(
        "order", "n-grams", "D1", "D2", "D3+", title=f"estimated by {report['estimator']}"
    )
    for order, number in enumerate(report["n_grams"], start=1):
        discounts = (f"{amount:.4f}" for amount in report["discounts"][order - 1])
        table.add_row(str(order), f"{number:,}", *discounts)
    console.print(table)
    if held_out := report["held_out"]:
        console.print(
            f"perplexity {held_out['perplexity']:.2f} on {held_out['sentences']} held-out "
            f"sentences, {100 * held_out['out_of_vocabulary_rate']:.2f} % of their words unknown "
            f"({held_out['perplexity_without_unknown']:.2f} without these)"
        )


def figures(report: dict[str, Any]) -> dict[str, float]:
    """What a sweep compares: n-grams in all, and how well the held-out text is predicted."""
    measured = report["held_out"] or {}
    return {"n_grams": sum(report["n_grams"]), **{k: float(v) for k, v in measured.items()}}
