"""What a comparison of hypotheses with their references has to say."""

from collections.abc import Mapping
from typing import Any, Protocol

import polars as pl

from kaskad.metrics.shares import Share


class Scores(Protocol):
    """``utterances`` were compared; ``table`` has what was counted of each, a row an utterance.

    Whatever else it counts, the table says which are ``right``.
    """

    @property
    def utterances(self) -> int: ...

    @property
    def table(self) -> pl.DataFrame: ...

    def shares(self) -> dict[str, Share]:
        """The figures by the names under which they are logged and reported, the foremost first."""

    def counts(self) -> dict[str, Any]:
        """What was counted, for report.json."""


def figures(shares: Mapping[str, Share]) -> dict[str, float]:
    """What the shares come to."""
    return {name: share.value for name, share in shares.items()}
