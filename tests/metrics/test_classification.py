"""Labels, one an utterance, and how often they are right."""

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from kaskad.metrics.classification import confuse

LABELS = ["female", "male"]
REFERENCES = ["male"] * 8 + ["female"] * 2
HYPOTHESES = ["male"] * 6 + ["female"] * 2 + ["female", "male"]


def test_the_rare_label_counts_as_much_as_the_others() -> None:
    always_male = confuse(REFERENCES, ["male"] * 10).figures()
    assert always_male["accuracy"] == pytest.approx(0.8)
    assert always_male["balanced_accuracy"] == 0.5
    assert always_male["balanced_error"] == 0.5
    assert always_male["accuracy_female"] == 0.0


def test_figures_are_those_of_torchmetrics() -> None:
    figures = confuse(REFERENCES, HYPOTHESES).figures()
    targets, found = (
        torch.tensor([LABELS.index(x) for x in xs]) for xs in (REFERENCES, HYPOTHESES)
    )
    balanced = multiclass_accuracy(found, targets, num_classes=2, average="macro")
    of_each = multiclass_accuracy(found, targets, num_classes=2, average="none")
    assert figures["balanced_accuracy"] == pytest.approx(float(balanced))
    assert [figures[f"accuracy_{label}"] for label in LABELS] == pytest.approx(of_each.tolist())


def test_what_was_taken_for_what_is_counted() -> None:
    confusions = confuse(REFERENCES, HYPOTHESES)
    assert confusions.utterances == 10
    assert confusions.counts() == {
        "confusions": {"female": {"female": 1, "male": 1}, "male": {"female": 2, "male": 6}}
    }
