"""Whether a recogniser is as often right as it says: the calibration of its confidence.

Source: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from kaskad.metrics.alignment import align

BINS = 10
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
TINY = 1e-6  # of a confidence: none is so sure that a single error costs without limit


def words_right(
    references: Sequence[str], hypotheses: Sequence[str], confidences: Sequence[Sequence[float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each word of the hypotheses, and whether it is right (words,).

    Utterances whose words are not those of their ``confidences`` are left out.
    """
    sure: list[float] = []
    right: list[bool] = []
    edits = align(references, hypotheses, "words")
    for utterance, confidence in zip(edits, confidences, strict=True):
        equal = [edit.kind == "equal" for edit in utterance for _ in edit.hypothesis]
        if len(equal) == len(confidence):
            sure += confidence
            right += equal
    return np.array(sure, dtype=float), np.array(right, dtype=bool)


def calibration(confidences: np.ndarray, right: np.ndarray) -> dict[str, Any] | None:
    """What a report says of the confidences of words (words,); ``None`` where there are none.

    ``expected_calibration_error`` is the mean distance between confidence and accuracy over ten
    bins, weighted by their words; ``reliability`` has the bins. ``caught`` says for thresholds what
    share of the wrong words is below, and what share of the right ones. ``temperature`` would
    calibrate these words best; it is to be fitted on others than those that are tested.
    """
    if not len(confidences):
        return None
    edges = np.minimum((confidences * BINS).astype(int), BINS - 1)
    reliability = [
        {
            "from": round(index / BINS, 2),
            "words": int((edges == index).sum()),
            "confidence": float(confidences[edges == index].mean()),
            "accuracy": float(right[edges == index].mean()),
        }
        for index in range(BINS)
        if (edges == index).any()
    ]
    distances = [each["words"] * abs(each["confidence"] - each["accuracy"]) for each in reliability]
    return {
        "words": len(confidences),
        "expected_calibration_error": sum(distances) / len(confidences),
        "mean_confidence": float(confidences.mean()),
        "accuracy": float(right.mean()),
        "temperature": fit_temperature(confidences, right),
        "reliability": reliability,
        "caught": [
            {
                "threshold": threshold,
                "errors": _share(confidences[~right] < threshold),
                "right_words": _share(confidences[right] < threshold),
            }
            for threshold in THRESHOLDS
        ],
    }


def fit_temperature(confidences: np.ndarray, right: np.ndarray) -> float:
    """The temperature at which ``confidences ** (1 / temperature)`` are likeliest to be right as
    often as these words were: above 1 they rise, below 1 they fall."""
    logs = np.log(np.clip(confidences, TINY, 1 - TINY))

    def surprise(log_temperature: float) -> float:
        sure = np.clip(np.exp(logs / np.exp(log_temperature)), TINY, 1 - TINY)
        return -float(np.where(right, np.log(sure), np.log1p(-sure)).mean())

    found = minimize_scalar(surprise, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(found.x)), 3)


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if len(flags) else None
