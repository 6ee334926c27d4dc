"""How well utterances are told apart that have one label each."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from kaskad.metrics.bootstrap import Share, share
from kaskad.metrics.scores import Scores


class Confusions(Scores):
    """The label of each utterance, and the one that was recognised."""

    def shares(self) -> dict[str, Share]:
        """Balanced accuracy is the mean over labels, however rare, of their accuracies.

        ``balanced_error`` is what it lacks to 1; ``accuracy_<label>`` is the share that was
        recognised of each label among the references: its recall.
        """
        references = self.table["reference"].to_numpy()
        right = self.table["right"].to_numpy()
        labels = self.table["reference"].unique().sort().to_numpy()
        is_label = references == labels[:, None]
        return {
            "balanced_accuracy": Share(is_label & right, is_label),
            "balanced_error": Share(is_label & ~right, is_label),
            "accuracy": share(right),
            **{
                f"accuracy_{label}": share(of_it & right, of_it)
                for label, of_it in zip(labels, is_label, strict=True)
            },
        }

    def counts(self) -> dict[str, Any]:
        """Utterances, first by reference and then by hypothesis."""
        pairs = self.table.group_by("reference", "hypothesis").len().sort(pl.all())
        confusions: dict[str, dict[str, int]] = {}
        for reference, hypothesis, count in pairs.rows():
            confusions.setdefault(reference, {})[hypothesis] = count
        return {"confusions": confusions}


def confuse(references: Sequence[str], hypotheses: Sequence[str]) -> Confusions:
    """Compare labels, utterance by utterance."""
    table = pl.DataFrame(
        {"reference": references, "hypothesis": hypotheses},
        schema={"reference": pl.String, "hypothesis": pl.String},
    )
    return Confusions(table.with_columns(right=pl.col("reference") == pl.col("hypothesis")))
