"""Make or convert a corpus into a manifest: kaskad prepare data=fsdd output=fsdd.parquet."""

import logging
from pathlib import Path

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from kaskad.corpora.manifest import write_manifest
from kaskad.corpora.table_files import require_writable, write_table
from kaskad.data.checks import DataError
from kaskad.data.corpus import check_corpora, together, without_repeats
from kaskad.reports.corpus import show_contents

SHOWN = 3  # reasons that a message gives

log = logging.getLogger(__name__)


def prepare(config: DictConfig) -> dict[str, float]:
    """Make every corpus of ``config.data``, check its audio, and say what there is.

    With ``config.output`` the usable rows are written as one manifest, with a ``split`` column
    (train, validation, test…), and the rest beside it as ``<output>.skipped.csv``. An utterance
    of several parts (test, and an all that includes it) is written in the first of them.

    Raises ``ManifestError`` if the output cannot be written, before anything is made, or if
    different utterances share an id; ``DataError``, with reasons, if nothing can be used.
    """
    if config.output is not None:
        require_writable(Path(config.output))
    usable, rest = check_corpora(config)
    show_contents(usable, rest, Console())
    _tell_why(usable, rest)
    if config.output is not None:
        output = Path(config.output)
        write_manifest(without_repeats(together(usable)), output)
        skipped = together(rest).select("split", "id", "path", "reason")
        log.info("wrote %s", output)
        if skipped.height:
            write_table(skipped, output.with_suffix(".skipped.csv"))
            log.warning(
                "%d rows cannot be used: see %s", skipped.height, f"{output.stem}.skipped.csv"
            )
    return {f"{name}/utterances": table.height for name, table in usable.items()}


def _tell_why(usable: dict[str, pl.DataFrame], rest: dict[str, pl.DataFrame]) -> None:
    """Say why utterances are left out; raises ``DataError`` if all are."""
    for name, left_out in rest.items():
        if left_out.height:
            reasons = "; ".join(left_out["reason"].head(SHOWN))
            total = left_out.height + usable[name].height
            more = "; …" if left_out.height > SHOWN else ""
            log.warning(
                "%s: %d of %d utterances cannot be used (%s%s)",
                name,
                left_out.height,
                total,
                reasons,
                more,
            )
    if usable and not any(table.height for table in usable.values()):
        all_reasons = [reason for table in rest.values() for reason in table["reason"].head(SHOWN)]
        first = "; ".join(all_reasons[:SHOWN]) or "it has no rows"
        raise DataError(f"no utterance of this corpus can be used ({first})")
