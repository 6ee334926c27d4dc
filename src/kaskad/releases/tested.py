"""The test of a release: its figures, without the words of its corpora; and whether it is
better than the release before it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kaskad.evaluation.comparison import scores_of, side_by_side
from kaskad.metrics.registry import METRICS
from kaskad.reports.breakdown import speakers_of
from kaskad.reports.readable_json import to_json
from kaskad.reports.report import RESULTS
from kaskad.storage.files import write_text
from kaskad.storage.tables import read_parquet, write_parquet

REPORT, SCORES = "report.json", "scores.parquet"
# Parts of a corpus in a report that reveal neither speakers nor transcripts.
PUBLIC = (
    "utterances", "of", "skipped", "empty", "speakers", "language", "figures", "words",
    "characters", "digits", "phones", "numbers", "confidence", "words_per_minute_of_non_speech",
    "audio_seconds", "seconds", "audio_seconds_per_second", "real_time_factor",
)  # fmt: skip
BETTER, WORSE, CHANCE = "better", "worse", "within chance"

Report = dict[str, Any]


def find_reports(folder: Path) -> dict[str, Path]:
    """The folders of the reports of an evaluation of one model, by the name of their data."""
    if (folder / "report.json").is_file():
        return {"": folder}
    found = sorted(folder.glob("model_1/*/report.json"))
    return {file.parent.name: file.parent for file in found}


def write_report(folders: Mapping[str, Path], release: Path) -> Report:
    """Write report.json and scores.parquet of a release from the reports of its test.

    The first has the figures of each corpus; the second what was counted in each utterance, which
    is known by a number made of its id and transcript: enough to compare two releases.
    """
    report: Report = {"corpora": {}}
    tables = []
    for data, folder in folders.items():
        whole = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        report |= {name: whole[name] for name in ("parameters", "tokenizer") if name in whole}
        for corpus, part in whole["corpora"].items():
            name = f"{data}/{corpus}".lstrip("/")
            public = {key: part[key] for key in PUBLIC if key in part}
            if figures := part.get("tables", {}).get("figures"):
                public["intervals"] = _intervals(figures)
            report["corpora"][name] = public
        table = read_parquet(folder / RESULTS)
        prefix = f"{data}/" if data else ""
        tables.append(_counted(table.with_columns(corpus=pl.lit(prefix) + pl.col("corpus"))))
    write_text(to_json(report), release / REPORT)
    write_parquet(pl.concat(tables, how="diagonal_relaxed"), release / SCORES)
    return report


def compare_with(earlier: Path, release: Path) -> dict[str, Any]:
    """How a release compares with an earlier one on the utterances that both were tested on.

    Of each corpus, its figures with their ``difference``, the 95 % ``interval`` of that, and the
    ``verdict``: better, worse, or within chance.
    """
    old, new = (read_parquet(each / SCORES) for each in (earlier, release))
    same = old.select("corpus", "utterance").join(
        new, on=["corpus", "utterance"], how="semi", maintain_order="left"
    )
    compared: dict[str, Any] = {}
    for corpus in same["corpus"].unique(maintain_order=True):
        key = same.filter(corpus=corpus)
        parts = [
            key.join(each, on=["corpus", "utterance"], how="left", maintain_order="left")
            for each in (old, new)
        ]
        known = [part.select(col for col in part if not _is_empty(col)) for part in parts]
        found = side_by_side([scores_of(each) for each in known], speakers_of(parts[1]))
        _, model = found["models"]
        compared[corpus] = {"utterances": found["utterances"], "figures": _verdicts(model)}
    return {"release": earlier.name, "corpora": compared}


def _verdicts(model: Mapping[str, Any]) -> dict[str, Any]:
    verdicts = {}
    for name, difference in model["difference"].items():
        low, high = model["difference_intervals"][name]
        metric = METRICS.get(name)
        if metric is None:
            continue
        falls = METRICS[name].lower_is_better
        verdict = CHANCE
        if high < 0 or low > 0:
            verdict = BETTER if (high < 0) == falls else WORSE
        interval = [round(low, 6), round(high, 6)]
        verdicts[name] = {
            "value": round(model["figures"][name], 6),
            "difference": round(difference, 6),
            "interval": interval,
            "verdict": verdict,
        }
    return verdicts


def _intervals(figures: Mapping[str, Any]) -> dict[str, list[float]]:
    columns = (figures[name] for name in ("figure", "low", "high"))
    return {name: [low, high] for name, low, high in zip(*columns, strict=True)}


def _counted(table: pl.DataFrame) -> pl.DataFrame:
    """Counts of each utterance; of a label, which one it was, for there are only those."""
    identity = table.select("corpus", "id", "reference").rows()
    names = [hashlib.sha256("\0".join(map(str, row)).encode()).hexdigest()[:16] for row in identity]
    counts = [n for n, kind in table.schema.items() if kind == pl.Int64 and n not in NUMBERS]
    columns: dict[str, Any] = {"corpus": table["corpus"], "utterance": names}
    if (speakers := speakers_of(table)) is not None:
        columns["speaker"] = speakers
    kept = pl.DataFrame(columns).hstack(table.select(*counts, "right"))
    if "words" not in table.columns:
        return kept.hstack(table.select("reference", "hypothesis"))
    # Of numbers only whether there is one, and whether it is right.
    is_number = pl.col("number").is_not_null()
    right = (pl.col("number") == pl.col("number_hypothesis")).fill_null(False)
    return kept.hstack(
        table.select(
            number=pl.when(is_number).then(1),
            number_hypothesis=pl.when(is_number).then(right.cast(pl.Int64)),
        )
    )


NUMBERS = ("number", "number_hypothesis")


def _is_empty(column: pl.Series) -> bool:
    """Of a table that was put together from others: what this corpus does not have."""
    return column.name not in NUMBERS and column.null_count() == len(column) > 0
