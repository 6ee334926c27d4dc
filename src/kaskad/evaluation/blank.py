"""Recognises a net that gives only blanks, which a WER of 100 % alone does not show."""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)


def tell_if_blank(report: Mapping[str, Any], steps: int) -> None:
    """Warn where every hypothesis of the test was empty, after so many ``steps`` of training."""
    corpora = report["corpora"].values()
    if all(part.get("utterances") and part.get("empty") == part["utterances"] for part in corpora):
        log.warning(
            "all hypotheses are blank: %d steps are too few (a CTC net gives only blanks for "
            "its first hundreds of steps); train longer (trainer.max_epochs=…), or take smaller "
            "batches, which make more steps of an epoch (datamodule.batch_seconds=…)",
            steps,
        )
