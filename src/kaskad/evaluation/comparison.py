"""Tested models side by side: what they share, what changed, and whether that is chance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import OmegaConf

from kaskad.metrics.bootstrap import intervals
from kaskad.metrics.classification import Confusions
from kaskad.metrics.error_rates import WORD_ERRORS, ErrorRates
from kaskad.metrics.scores import Scores
from kaskad.metrics.significance import mapsswe, paired_interval

UTTERANCE = ["corpus", "id"]
MOST_CHANGED = 60  # utterances in comparison.html; changed.csv has all


class ComparisonError(ValueError):
    """Runs that cannot be compared: says why, and what to do."""


def shared(
    runs: Sequence[Path], tables: Sequence[pl.DataFrame]
) -> tuple[list[pl.DataFrame], dict[str, int]]:
    """The utterances that all were tested on, in the order of the first, and how many each leaves.

    An utterance whose reference differs, spelt by another tokenizer, is another utterance. Raises
    ``ComparisonError`` if none is left.
    """
    same = [*UTTERANCE, "reference"]
    common = tables[0].select(same)
    for table in tables[1:]:
        common = common.join(table.select(same), on=same, how="semi", maintain_order="left")
    if common.is_empty():
        raise ComparisonError(
            f"{', '.join(str(run.parents[1]) for run in runs)}: no utterance is in all of them "
            "with the same id, corpus and reference; test them on the same data=…"
        )
    left_out = {
        str(run.parents[1]): table.height - common.height
        for run, table in zip(runs, tables, strict=True)
    }
    joined = [common.join(t, on=same, how="left", maintain_order="left") for t in tables]
    return joined, left_out


def names_of(runs: Sequence[Path]) -> list[str]:
    """The folders of runs, without what all of them begin with."""
    parts = [run.resolve().parts for run in runs]
    same = 0
    while all(len(p) > same + 1 for p in parts) and len({p[same] for p in parts}) == 1:
        same += 1
    return ["/".join(p[same:]) for p in parts]


def differing_settings(runs: Sequence[Path]) -> dict[str, list[str]]:
    """The settings in which the configurations of runs differ, with the value of each run."""
    configurations = [_settings(run / ".hydra" / "config.yaml") for run in runs]
    keys = dict.fromkeys(key for each in configurations for key in each)
    values = {key: [each.get(key, "–") for each in configurations] for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def _settings(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}

    def flat(node: Any, name: str) -> dict[str, str]:
        if not isinstance(node, dict) or not node:
            return {name: str(node)}
        parts = (flat(value, f"{name}.{key}" if name else str(key)) for key, value in node.items())
        return {key: value for part in parts for key, value in part.items()}

    return flat(OmegaConf.to_container(OmegaConf.load(file)), "")


def scores_of(table: pl.DataFrame) -> Scores:
    """The scores that ``table`` was written with."""
    return ErrorRates(table) if "words" in table.columns else Confusions(table)


def side_by_side(models: Sequence[Scores], speakers: np.ndarray | None = None) -> dict[str, Any]:
    """Figures of each model with their intervals; of all but the first, too, how they differ.

    Intervals are drawn by ``speakers``, the number of each utterance's, where they are known.

    A difference is significant where its interval is clear of 0; on errors of words MAPSSWE is
    computed as well.
    """
    first = models[0].shares()
    described: list[dict[str, Any]] = []
    for model in models:
        shares = model.shares()
        part: dict[str, Any] = {"figures": model.figures()}
        part["intervals"] = intervals(shares, speakers)
        if described:
            both = [name for name in first if name in shares]
            part["difference"] = {name: shares[name].value - first[name].value for name in both}
            part["difference_intervals"] = {
                name: paired_interval(first[name], shares[name], speakers) for name in both
            }
            part["mapsswe"] = mapsswe(
                *(errors(each.table).to_numpy() for each in (models[0], model))
            )
        described.append(part)
    groups = 0 if speakers is None else int(speakers.max()) + 1
    return {"utterances": models[0].utterances, "speakers": groups, "models": described}


def errors(table: pl.DataFrame) -> pl.Series:
    """Of words, in each utterance; of labels, where there is one each."""
    if "words" in table.columns:
        return table.select(errors=WORD_ERRORS).to_series()
    return (~table["right"]).cast(pl.Int64).alias("errors")


def changes(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Utterances with another hypothesis than that of the first model, the most changed first.

    ``hypothesis_1``, ``errors_1`` and so on are those of each model; ``change`` is by how many
    words the last of them errs more than the first.
    """
    table = tables[0].select(*UTTERANCE, "reference")
    for number, model in enumerate(tables, start=1):
        hypothesis = model["hypothesis"].alias(f"hypothesis_{number}")
        table = table.with_columns(hypothesis, errors(model).alias(f"errors_{number}"))
    others = [
        pl.col(f"hypothesis_{n}") != pl.col("hypothesis_1") for n in range(2, len(tables) + 1)
    ]
    change = pl.col(f"errors_{len(tables)}") - pl.col("errors_1")
    changed = table.with_columns(change=change).filter(pl.any_horizontal(others))
    return changed.sort(pl.col("change").abs(), descending=True, maintain_order=True)
