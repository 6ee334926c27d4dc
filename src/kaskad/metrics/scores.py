"""What a comparison of hypotheses with their references has to say."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import polars as pl

from kaskad.metrics.bootstrap import Share


@dataclass(frozen=True)
class Scores(ABC):
    """``table`` has a row an utterance: ``reference``, ``hypothesis``, whether it is ``right``,
    and what was counted of it. A table that was written to disk makes the same scores again."""

    table: pl.DataFrame

    @property
    def utterances(self) -> int:
        return self.table.height

    @abstractmethod
    def shares(self) -> dict[str, Share]:
        """The figures by the names under which they are logged and reported, the foremost first."""

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """What was counted, for report.json."""

    def figures(self) -> dict[str, float]:
        """What the shares come to."""
        return {name: share.value for name, share in self.shares().items()}
