"""What the tests of reports share: a tested run, without a model that took the test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kaskad.metrics.error_rates import score
from kaskad.reports.report import attach_scores, describe, write_report


@pytest.fixture
def write_run(tmp_path: Path, write_tone):
    """Write the report on a test with these outcomes, and return its folder and what it says."""

    def write(
        references: Sequence[str],
        hypotheses: Sequence[str],
        language: str = "en",
        training: dict[str, Any] | None = None,
        **columns: Any,
    ) -> tuple[Path, dict[str, Any]]:
        path = write_tone("tone.wav", seconds=0.5)
        results = pl.DataFrame(
            {
                "id": [f"u{index}" for index in range(len(references))],
                "path": str(path),
                "duration": 0.5,
                "reference": references,
                "hypothesis": hypotheses,
                "score": -1.0,
                "problem": pl.Series([None] * len(references), dtype=pl.String),
                **columns,
            },
            schema_overrides={
                "duration": pl.Float64,
                "reference": pl.String,
                "hypothesis": pl.String,
            },
        )
        scores = score(references, hypotheses, "ru")
        scored = attach_scores(results, scores)
        report = {
            "title": "a model on a test",
            "parameters": 10,
            "environment": {"seed": 0, "started": "today", "command": "python evaluate.py"},
            "corpora": {"test": {**describe(scored, scores, seconds=1.0), "skipped": 0}},
            "skipped": [],
            **({"training": training} if training else {}),
        }
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        write_report(report, scored.with_columns(corpus=pl.lit("test")), folder, language)
        return folder, report["corpora"]["test"]

    return write
