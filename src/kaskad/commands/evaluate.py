"""Test models on corpora, with a report on each: evaluate.py checkpoint=… data=an4."""

import json
import logging
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from kaskad.callbacks.skipped_utterances import SkippedUtterances
from kaskad.config.messages import explain
from kaskad.evaluation.nearest import nearest_count
from kaskad.evaluation.own_data import language_of
from kaskad.evaluation.plan import Plan, make_plan
from kaskad.evaluation.recogniser import PARTS, _report, figures_of
from kaskad.evaluation.results import TestResults
from kaskad.evaluation.summary import BEYOND, FAILED, Row, rows_of, show_summary, write_summary
from kaskad.metrics.registry import METRICS
from kaskad.models.corrected import correct_with
from kaskad.models.ensemble import load_ensemble
from kaskad.models.recogniser import Recogniser
from kaskad.models.streaming import decode_in_chunks
from kaskad.reports.report import show_report
from kaskad.reports.wording import page_language
from kaskad.runs.checkpoints import find_checkpoint, settings_of
from kaskad.runs.environment import environment
from kaskad.runs.folder import run_lock

log = logging.getLogger(__name__)


class BoundsError(ValueError):
    """A critical corpus is worse than its bounds or could not be tested, or none at all could."""


def evaluate(config: DictConfig) -> dict[str, float]:
    """Test every checkpoint on every corpus of ``config``, and return all figures.

    One of each, and no bounds: the report lies in the run folder itself. Else it lies in
    ``model_<number>/<data>``, and in the run folder summary.json and summary.csv. A corpus that
    fails does not keep the others from being tested. Raises ``BoundsError``, once all is written,
    if a critical one is not good enough.
    """
    folder = Path(config.run_dir)
    with run_lock(folder):
        plan = make_plan(config, folder)
        if plan.is_plain:
            ((name, one),) = plan.corpora.items()
            one.checkpoint = [str(path) for path in plan.models[0]]
            return evaluate_one(one, name, folder, go_on=plan.is_resumed)
        rows = list(_rows(plan, folder))
        origin = {
            "environment": environment(None),
            "bounds": plan.bounds,
            "critical": plan.critical,
        }
        write_summary(rows, folder, origin)
        show_summary(rows, Console())
        _check_bounds(rows, folder)
    return {
        f"model_{row['model']}/{row['data']}/{row['corpus']}/{name}": row[name]
        for row in rows
        for name in METRICS
        if name in row
    }


def _rows(plan: Plan, folder: Path) -> Iterator[Row]:
    """Test one after the other; what a resumed evaluation has a report on is not tested again."""
    for number, checkpoints in enumerate(plan.models, start=1):
        for name, config in plan.corpora.items():
            place = Path(f"model_{number}", name)
            row: Row = {
                "model": number,
                "checkpoint": ", ".join(map(str, checkpoints)),
                "data": name,
                "critical": name in plan.critical,
            }
            config.checkpoint = [str(path) for path in checkpoints]
            failure = None
            if not (plan.is_resumed and has_report(folder / place)):
                log.info("model %d of %d on %s", number, len(plan.models), name)
                failure = _test(config, name, folder / place, go_on=plan.is_resumed)
            if failure is not None:
                error = str(place / "error.txt")
                yield row | {"corpus": "", "verdict": FAILED, "reason": failure, "report": error}
                continue
            report = json.loads((folder / place / "report.json").read_text(encoding="utf-8"))
            page = str(place / "report.html")
            for found in rows_of(report, plan.bounds.get(name, {})):
                yield row | {"corpus": "", "report": page} | found


def _test(config: DictConfig, name: str, folder: Path, *, go_on: bool) -> str | None:
    """Write the report on one model and one corpus; returns why there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    trace = folder / "error.txt"
    trace.unlink(missing_ok=True)
    try:
        report_on(config, name, folder, go_on=go_on)
    except Exception as error:  # whatever it is, the other corpora are tested
        trace.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        reason = explain(error).replace("\n", "; ")
        log.error("%s failed: %s", name, reason)
        return reason
    return None


def _check_bounds(rows: Sequence[Row], folder: Path) -> None:
    """Warn of what is not good enough; raise ``BoundsError`` where that is critical."""
    bad = [row for row in rows if row["verdict"] in (BEYOND, FAILED)]
    critical = [row for row in bad if row["critical"]]
    for row in bad:
        if not row["critical"]:
            log.warning("%s", _sentence(row))
    listed = "; ".join(map(_sentence, critical))
    if critical:
        raise BoundsError(
            f"not good enough where it is critical: {listed}\n{folder / 'summary.csv'} has all"
        )
    if all(row["verdict"] == FAILED for row in rows):
        raise BoundsError(f"no corpus could be tested: {_sentence(rows[0])}")


def _sentence(row: dict[str, Any]) -> str:
    corpus = f" ({row['corpus']})" if row["corpus"] else ""
    return f"{row['data']}{corpus}, model {row['model']}: {row['reason']}"


def evaluate_one(
    config: DictConfig, name: str, folder: Path, *, go_on: bool = False
) -> dict[str, float]:
    """Test ``config.checkpoint`` on the test corpora of ``config.data``, show the report, and
    return its figures.

    Args:
        config: What evaluate.py was asked for.
        name: What the title calls the data.
        folder: Where the report goes.
        go_on: Complete a test that was interrupted in this folder.
    """
    report = report_on(config, name, folder, go_on=go_on)
    figures = figures_of(report)
    show_report(report, Console())
    return figures


def report_on(
    config: DictConfig, name: str, folder: Path, *, go_on: bool = False
) -> dict[str, Any]:
    """As ``evaluate_one``, into any ``folder``, with nothing shown; returns the report."""
    checkpoints = [str(find_checkpoint(Path(path)).resolve()) for path in config.checkpoint]
    recogniser, trained = load_ensemble(
        checkpoints, config.combine, decoder=config.get("decoder"), trusted=config.trusted
    )
    title = f"{settings_of(trained, 'task', checkpoints[0], str)} on {name}"
    if config.streaming.chunk is not None:
        decode_in_chunks(recogniser, config.streaming.chunk)
        title += f", in chunks of {config.streaming.chunk} samples"
    origin = {
        "checkpoint": ", ".join(checkpoints),
        "environment": environment(trained.get("seed")),
    }
    if config.get("corrector") is not None:
        correct_with(recogniser, config.corrector, language_of(trained, checkpoints[0]))
        title += ", corrected"
        origin["corrector"] = str(find_checkpoint(Path(config.corrector)).resolve())
    return report_of(recogniser, config, title, origin, folder, go_on=go_on)


def report_of(
    recogniser: Recogniser,
    config: DictConfig,
    title: str,
    origin: dict[str, Any],
    folder: Path,
    *,
    go_on: bool = False,
) -> dict[str, Any]:
    """As ``report_on``, of a recogniser that was loaded; ``title`` and ``origin`` are what the
    report says of it."""
    language = page_language(config.get("report"))
    data = instantiate(config.datamodule)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=recogniser.features.sample_rate,
        target=recogniser.target,
    )
    recogniser.phone_errors = config.phone_errors
    nearest = nearest_count(recogniser, config.nearest)
    data.load(*(["train"] if nearest else []), "test")
    data.connect(recogniser.tokenizer)
    trainer = instantiate(
        config.trainer,
        callbacks=[SkippedUtterances()],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    results = TestResults(folder / PARTS, config.save_every)
    if not go_on:
        results.forget()
    return _report(trainer, recogniser, data, results, folder, title, origin, nearest, language)


def has_report(folder: Path) -> bool:
    """Whether ``report_on`` came to its end in this folder."""
    return (folder / "report.json").exists() and not (folder / PARTS).exists()
