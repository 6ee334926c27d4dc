"""Two models on the same utterances: is the difference more than chance?"""

import math

import numpy as np

from kaskad.metrics.bootstrap import Share, resampled


def paired_interval(
    first: Share, second: Share, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of ``second - first``, the same utterances drawn for both, 1000 times; of
    ``groups``, speakers with all their utterances, as ``intervals`` does.

    Source: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation" (ICASSP 2004).
    """
    values = resampled({"first": first, "second": second}, groups, seed)
    low, high = np.percentile(values["second"] - values["first"], (2.5, 97.5))
    return float(low), float(high)


def mapsswe(first: np.ndarray, second: np.ndarray) -> dict[str, float | None]:
    """The matched-pair sentence-segment word error test: ``statistic`` and two-sided ``p``.

    ``first`` and ``second`` are the errors of each model in each segment, here in each utterance:
    recordings of their own are independent, as the test wants. The statistic is normal for some
    50 of them and more; it is positive where the first errs more, and ``None`` where every
    difference is the same and nothing is known of how it varies.

    Source: Gillick and Cox, "Some statistical issues in the comparison of speech recognition
    algorithms" (ICASSP 1989).
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if np.ptp(differences) == 0.0:
        return {"statistic": None, "p": None if differences.any() else 1.0}
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    statistic = float(differences.mean() / error)
    return {"statistic": statistic, "p": math.erfc(abs(statistic) / math.sqrt(2))}
