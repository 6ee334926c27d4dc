"""How good a model is, plainly: report.json, report.html, tables, and a table on the console."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors
from rich.console import Console
from rich.table import Table

from kaskad.metrics.calibration import calibration, words_right
from kaskad.metrics.corrections import OUTCOMES
from kaskad.metrics.error_rates import WORD_ERRORS
from kaskad.metrics.registry import shown_in
from kaskad.metrics.scores import Scores
from kaskad.reports.breakdown import break_down, speakers_of
from kaskad.reports.html import render_report
from kaskad.reports.readable_json import to_json
from kaskad.storage.files import write_text
from kaskad.storage.tables import write_csv, write_parquet

EXAMPLES = 5
WORST = 20
MOST_CONFUSED = 12  # of each kind, in report.json and report.html; confusions.csv has all
# The hypotheses, for other programs, in the folder of a run.
RESULTS = Path("tables", "hypotheses.parquet")


def attach_scores(results: pl.DataFrame, scores: Scores) -> pl.DataFrame:
    """Return the hypotheses of a test with what ``scores`` counted of each utterance."""
    return results.drop(scores.table.columns, strict=False).hstack(scores.table)


def describe(
    results: pl.DataFrame, scores: Scores, seconds: float, nearest: pl.DataFrame | None = None
) -> dict[str, Any]:
    """What a report says of one corpus.

    ``results`` is what ``attach_scores`` gives, with id and duration (s); ``seconds`` is how long
    recognising it took; ``nearest`` is what ``nearest_in_training`` gives of the worst, if that was
    asked for.
    """
    tables = break_down(results, scores)
    speakers = speakers_of(results)
    if nearest is not None:
        tables["nearest"] = nearest
    figures = dict(tables["figures"].select("figure", "value").rows()) if scores.utterances else {}
    confidence = _confidence(results)
    audio = float(results["duration"].sum())
    return {
        "utterances": scores.utterances,
        "empty": int((results["hypothesis"] == "").sum()),
        "speakers": 0 if speakers is None else int(speakers.max()) + 1,
        "figures": {name: round(value, 6) for name, value in figures.items()},
        **({"confidence": confidence} if confidence else {}),
        **_non_speech(results),
        **scores.counts(),
        "audio_seconds": round(audio, 2),
        "seconds": round(seconds, 2),
        "audio_seconds_per_second": round(audio / max(seconds, 1e-9), 1),
        "real_time_factor": round(seconds / max(audio, 1e-9), 4),
        "tables": {
            name: table.with_columns(selectors.float().round(6)) for name, table in tables.items()
        },
        "examples": _rows(results.sample(min(EXAMPLES, results.height), seed=0)),
        "worst": _rows(worst(results)),
        "problems": results.filter(pl.col("problem").is_not_null())
        .select("id", "problem")
        .to_dicts(),
    }


def _non_speech(results: pl.DataFrame) -> dict[str, float]:
    """Words a minute in the hypotheses of utterances without a reference, where nobody speaks."""
    silent = results.filter(pl.col("reference") == "")
    minutes = float(silent["duration"].sum()) / 60
    if not minutes:
        return {}
    words = float(silent["hypothesis"].fill_null("").str.count_matches(r"\S+").sum())
    return {"words_per_minute_of_non_speech": round(words / minutes, 3)}


def _confidence(results: pl.DataFrame) -> dict[str, Any] | None:
    """How well calibrated the confidences of words are, where words have any."""
    if "confidences" not in results.columns:
        return None
    known = results.drop_nulls(["reference", "hypothesis", "confidences"])
    known = known.filter(~pl.col("confidences").list.eval(pl.element().is_null()).list.any())
    columns = (known[name].to_list() for name in ("reference", "hypothesis", "confidences"))
    return calibration(*words_right(*columns))


def write_report(
    report: Mapping[str, Any], results: pl.DataFrame, folder: Path, language: str = "en"
) -> None:
    """Write report.json, report.html (in a ``language``), hypotheses.csv and tables/ into
    ``folder``."""
    (folder / RESULTS.parent).mkdir(exist_ok=True)
    write_parquet(results, folder / RESULTS)
    write_csv(results.select(~selectors.nested()), folder / "hypotheses.csv")
    for name, table in _together(report).items():
        write_csv(table, folder / RESULTS.parent / f"{name}.csv")
    short = {**report, "corpora": {n: _shortened(part) for n, part in report["corpora"].items()}}
    write_text(render_report(short, language), folder / "report.html")
    write_text(to_json(short), folder / "report.json")  # last: with it, the run is finished


def find_results(run: Path) -> Path:
    """The table of hypotheses of the newest tested run at or below a folder."""
    found = max(run.rglob(str(RESULTS)), key=lambda file: file.stat().st_mtime, default=None)
    if found is None:
        raise FileNotFoundError(
            f"{run}: no run in this folder has {RESULTS}, which every test writes; test it with "
            "python evaluate.py checkpoint=…"
        )
    return found


def show_report(report: Mapping[str, Any], console: Console) -> None:
    """Print the figures of every corpus, and example hypotheses beneath their references."""
    corpora = report["corpora"]
    table = by_corpus(report)
    for name, metric in shown_in("report", corpora.values()).items():
        values = [part["figures"].get(name) for part in corpora.values()]
        table.add_row(metric.title, *("–" if v is None else metric.unit.write(v) for v in values))
    table.add_row("utterances", *map(how_many, corpora.values()))
    for name, title in (
        ("skipped", "skipped"),
        ("audio_seconds_per_second", "audio seconds per second"),
    ):
        table.add_row(title, *(f"{part[name]:.0f}" for part in corpora.values()))
    console.print(table)
    examples = Table(title="for example", title_justify="left", show_lines=True)
    examples.add_column("reference")
    examples.add_column("hypothesis")
    for example in next(iter(corpora.values()))["examples"]:
        right = example["reference"] == example["hypothesis"]
        examples.add_row(
            example["reference"], example["hypothesis"] or "–", style="green" if right else "red"
        )
    console.print(examples)
    undecoded = sum(len(part["problems"]) for part in corpora.values())
    show_corrections(report, console)
    if undecoded:
        console.print(f"{undecoded} utterances could not be decoded; report.html names them")
    if report["skipped"]:
        console.print(f"utterances skipped: {len(report['skipped'])}; skipped.csv says why")


def show_corrections(report: Mapping[str, Any], console: Console) -> None:
    """Print what a corrector mended and broke in each corpus, and by how much the WER is lower."""
    for name, part in report["corpora"].items():
        if found := part.get("corrections"):
            counts = ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES)
            low, high = (100 * bound for bound in found["gain_interval"])
            gain = f"{100 * found['gain']:.2f} % ({low:.2f} to {high:.2f})"
            console.print(f"{name}: {counts}; the WER is lower by {gain}", highlight=False)


def how_many(part: Mapping[str, Any]) -> str:
    """How many utterances of a corpus were tested: 12, or 7 of 12 where a limit left some out."""
    tested, there = part["utterances"], part.get("of", 0)
    return f"{tested} of {there}" if tested < there else str(tested)


def by_corpus(report: Mapping[str, Any]) -> Table:
    """A table for the console with a column for each corpus of the report, and no row yet."""
    table = Table("", title=report["title"], title_justify="left")
    for name in report["corpora"]:
        table.add_column(name, justify="right")
    return table


def worst(results: pl.DataFrame) -> pl.DataFrame:
    """By WER; labels that are wrong, by how sure the model was of them."""
    wrong = results.filter(~pl.col("right"))
    if "words" in results.columns:
        wrong = wrong.with_columns(wer=WORD_ERRORS / pl.max_horizontal("words", 1))
        return wrong.sort("wer", WORD_ERRORS, descending=True, maintain_order=True).head(WORST)
    return wrong.sort("score", descending=True, maintain_order=True).head(WORST)


def _rows(results: pl.DataFrame) -> list[dict[str, Any]]:
    columns = ("id", "path", "reference", "hypothesis", "speaker", "wer")
    return results.select(name for name in columns if name in results.columns).to_dicts()


def _together(report: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Each table of all corpora, told apart by the column ``corpus``."""
    tables: dict[str, list[pl.DataFrame]] = {}
    for corpus, part in report["corpora"].items():
        for name, table in part["tables"].items():
            named = table.select(pl.lit(corpus).alias("corpus"), pl.all())
            tables.setdefault(name, []).append(named)
    return {name: pl.concat(each, how="diagonal_relaxed") for name, each in tables.items()}


def _shortened(part: dict[str, Any]) -> dict[str, Any]:
    tables = dict(part["tables"])
    if "confusions" in tables:
        kinds = tables["confusions"].group_by("unit", "kind", maintain_order=True)
        tables["confusions"] = kinds.head(MOST_CONFUSED)
    return {**part, "tables": tables}
