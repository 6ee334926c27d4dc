"""How well utterances are told apart that have one label each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kaskad.metrics import scores
from kaskad.metrics.shares import Share, share


@dataclass(frozen=True)
class Confusions:
    """The label of each utterance, and the one that was recognised."""

    references: Sequence[str]
    hypotheses: Sequence[str]

    @property
    def utterances(self) -> int:
        return len(self.references)

    @property
    def table(self) -> pl.DataFrame:
        return pl.DataFrame({"right": np.array(self.references) == np.array(self.hypotheses)})

    def shares(self) -> dict[str, Share]:
        """Balanced accuracy is the mean over labels, however rare, of their accuracies.

        ``balanced_error`` is what it lacks to 1; ``accuracy_<label>`` is the share that was
        recognised of each label among the references: its recall.
        """
        labels = sorted(set(self.references))
        right = self.table["right"].to_numpy()
        is_said = np.array(self.references) == np.array(labels, dtype=str)[:, None]
        return {
            "balanced_accuracy": Share(is_said & right, is_said),
            "balanced_error": Share(is_said & ~right, is_said),
            "accuracy": share(right),
            **{
                f"accuracy_{label}": share(said & right, said)
                for label, said in zip(labels, is_said, strict=True)
            },
        }

    def figures(self) -> dict[str, float]:
        return scores.figures(self.shares())

    def counts(self) -> dict[str, Any]:
        """Utterances, first by reference and then by hypothesis."""
        confusions: dict[str, dict[str, int]] = {}
        pairs = Counter(zip(self.references, self.hypotheses, strict=True))
        for (reference, hypothesis), count in sorted(pairs.items()):
            confusions.setdefault(reference, {})[hypothesis] = count
        return {"confusions": confusions}


def confuse(references: Sequence[str], hypotheses: Sequence[str]) -> Confusions:
    """Compare labels, utterance by utterance."""
    return Confusions(references, hypotheses)
