"""How well utterances are told apart that have one label each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any


@dataclass(frozen=True)
class Confusions:
    """``pairs`` counts utterances by (reference, hypothesis)."""

    pairs: Counter[tuple[str, str]]

    @property
    def utterances(self) -> int:
        return self.pairs.total()

    def accuracies(self) -> dict[str, float]:
        """The share that was recognised of each label among the references: its recall."""
        totals: Counter[str] = Counter()
        for (reference, _), count in self.pairs.items():
            totals[reference] += count
        return {label: self.pairs[label, label] / total for label, total in sorted(totals.items())}

    def figures(self) -> dict[str, float]:
        """Balanced accuracy is the mean over labels, however rare, of their accuracies.

        ``balanced_error`` is what it lacks to 1.
        """
        accuracies = self.accuracies()
        balanced = mean(accuracies.values())
        right = sum(count for (said, heard), count in self.pairs.items() if said == heard)
        return {
            "balanced_accuracy": balanced,
            "balanced_error": 1 - balanced,
            "accuracy": right / self.utterances,
            **{f"accuracy_{label}": share for label, share in accuracies.items()},
        }

    def counts(self) -> dict[str, Any]:
        """Utterances, first by reference and then by hypothesis."""
        confusions: dict[str, dict[str, int]] = {}
        for (reference, hypothesis), count in sorted(self.pairs.items()):
            confusions.setdefault(reference, {})[hypothesis] = count
        return {"confusions": confusions}


def confuse(references: Sequence[str], hypotheses: Sequence[str]) -> Confusions:
    """Compare labels, utterance by utterance."""
    return Confusions(Counter(zip(references, hypotheses, strict=True)))
