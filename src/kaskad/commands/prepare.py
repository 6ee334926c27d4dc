"""Make or convert a corpus into a manifest: kaskad prepare data=fsdd output=fsdd.parquet."""

import logging
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from kaskad.corpora.manifest import write_manifest
from kaskad.corpora.table_files import require_writable, write_table
from kaskad.data.corpus import check_corpora, together, without_repeats
from kaskad.reports.corpus import show_contents

log = logging.getLogger(__name__)


def prepare(config: DictConfig) -> dict[str, float]:
    """Make every corpus of ``config.data``, check its audio, and say what there is.

    With ``config.output`` the usable rows are written as one manifest, with a ``split`` column
    (train, validation, test…), and the rest beside it as ``<output>.skipped.csv``. An utterance
    of several parts (test, and an all that includes it) is written in the first of them.

    Raises ``ManifestError`` if the output cannot be written, before anything is made, or if
    different utterances share an id.
    """
    if config.output is not None:
        require_writable(Path(config.output))
    usable, rest = check_corpora(config)
    show_contents(usable, rest, Console())
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
