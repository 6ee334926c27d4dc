"""What a comparison of hypotheses with their references has to say."""

from typing import Any, Protocol


class Scores(Protocol):
    """``utterances`` were compared."""

    @property
    def utterances(self) -> int: ...

    def figures(self) -> dict[str, float]:
        """The figures by the names under which they are logged and reported; mostly shares."""

    def counts(self) -> dict[str, Any]:
        """What was counted, for report.json."""
