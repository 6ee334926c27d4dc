"""Hypotheses of recognisers in their tests, and the references, for a model of corrections."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import polars as pl
from omegaconf import OmegaConf

from kaskad.data.checks import DataError
from kaskad.data.corpus import TRAINING
from kaskad.reports.report import RESULTS, find_results
from kaskad.storage.tables import read_parquet

log = logging.getLogger(__name__)

COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "reference": pl.String(),
    "hypothesis": pl.String(),
    "alternatives": pl.List(pl.String()),
    "speaker": pl.String(),
}


def read_hypotheses(
    split: str,
    *,
    runs: str | Sequence[str],
    held_out: str,
    test: str,
    validation_share: float = 0.1,
) -> pl.DataFrame:
    """Read the hypotheses of tested runs, as ``tables/hypotheses.parquet`` has them.

    Args:
        split: ``train`` and ``validation``: of the corpus ``held_out``, in which an utterance is in
            one of them alone. Any other is the name of a corpus of the runs ``test``.
        runs: Runs, or folders of runs, of train.py, whose test on ``held_out`` is trained on.
        held_out: A corpus of their tests that they did not train on.
        test: A run, or a folder of runs, whose newest test is the test.
        validation_share: The share of what was held out that chooses the checkpoint.

    Returns:
        Columns ``id``, ``reference``, ``hypothesis``, ``alternatives`` (the texts of an n-best list
        without the first; empty where there are none) and ``speaker`` (null where unknown).

    Raises:
        DataError: Where a run has no such test, or trained on what it was tested on.
    """
    if not 0 < validation_share < 1:
        raise DataError(f"data.validation_share={validation_share}: between 0 and 1, as 0.1")
    if split not in ("train", "validation"):
        return _hypotheses(find_results(Path(test)), split)
    folders = [runs] if isinstance(runs, str) else runs
    tables = [table for folder in folders for table in _tables_below(Path(folder))]
    for table in tables:
        _require_not_trained_on(table.parents[1], held_out)
    whole = pl.concat(_hypotheses(table, held_out) for table in tables)
    chosen = [crc32(id_.encode()) / 2**32 < validation_share for id_ in whole["id"]]
    in_validation = pl.Series(chosen, dtype=pl.Boolean)
    return whole.filter(in_validation if split == "validation" else ~in_validation)


def _tables_below(folder: Path) -> list[Path]:
    found = sorted(folder.rglob(str(RESULTS)))
    return found or [find_results(folder)]  # which says what is missing


def _hypotheses(path: Path, corpus: str) -> pl.DataFrame:
    whole = read_parquet(path)
    known = whole["corpus"].unique(maintain_order=True).to_list()
    if corpus not in known:
        raise DataError(
            f"{path.parents[1]}: its test has no corpus '{corpus}', only {', '.join(known)}; a run "
            "that holds one out: train.py -m data/parts@data=folds data.folds=2 data.fold=0,1"
        )
    table = whole.filter(corpus=corpus)
    if "reference" not in table.columns or "hypothesis" not in table.columns:
        raise DataError(f"{path.parents[1]}: recognises no words: there is nothing to correct")
    columns = [
        pl.col(name).cast(kind) if name in table.columns else pl.lit(None, kind).alias(name)
        for name, kind in COLUMNS.items()
    ]
    return table.select(columns).with_columns(
        pl.col("hypothesis").fill_null(""), pl.col("alternatives").fill_null([])
    )


def _require_not_trained_on(run: Path, corpus: str) -> None:
    """Raise ``DataError`` where a run trained on the corpus that it was tested on."""
    path = run / "config.yaml"
    if not path.is_file():  # of evaluate.py, as a rule
        log.warning(
            "%s does not say what its recogniser trained on: if that was '%s', the hypotheses are "
            "better than those of new speech, and there is less to learn of them",
            run,
            corpus,
        )
        return
    saved: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    corpora = saved["data"]["corpora"]
    tested = corpora.get(corpus, {})
    for trained in corpora.values():
        same = tested.get("manifest") == trained.get("manifest") and _part(tested) == _part(trained)
        apart = tested.get("folds") and _fold(tested) == _fold(trained)
        if trained.get("role") in TRAINING and same and not apart:
            raise DataError(
                f"{run}: its recogniser trained on '{corpus}', and so knows its references; "
                "learn from folds: train.py -m data/parts@data=folds data.folds=2 data.fold=0,1"
            )


def _part(corpus: dict[str, Any]) -> Any:
    return corpus.get("split") or corpus.get("role")


def _fold(corpus: dict[str, Any]) -> tuple[Any, Any]:
    return corpus.get("folds"), corpus.get("fold")
