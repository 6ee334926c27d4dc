"""An n-gram of few labels as one array: small enough to be looked at as a whole."""

from collections.abc import Iterable, Sequence

import numpy as np

BOUNDARY = 0  # before the first label of a text, and after its last


def estimate_dense(texts: Iterable[Sequence[int]], labels: int, order: int) -> np.ndarray:
    """Estimate the probabilities of labels after the ``order - 1`` before them.

    Witten-Bell smoothing: no probability is 0. Source: Chen and Goodman, "An Empirical Study of
    Smoothing Techniques for Language Modeling" (Harvard TR-10-98, 1998), section 2.5.

    Args:
        texts: Each as the ids of its labels, from 1.
        labels: How many ids there are, that of the boundary included.
        order: 1 for unigrams, 2 for bigrams.

    Returns:
        An axis a label, the last that of the label predicted: ``[a, b, c]`` is the probability of c
        after a and b. Its shape is ``(labels,) * order``; each text begins after ``order - 1``
        boundaries and ends with one.
    """
    counts = np.zeros((labels,) * order)
    for text in texts:
        padded = np.array([*[BOUNDARY] * (order - 1), *text, BOUNDARY])
        n_grams = np.lib.stride_tricks.sliding_window_view(padded, order)
        np.add.at(counts, tuple(n_grams.T), 1.0)
    probabilities = np.full((labels,) * order, 1 / labels)
    for length in range(1, order + 1):
        found = counts.sum(axis=tuple(range(order - length)))
        total = found.sum(axis=-1, keepdims=True)
        different = (found > 0).sum(axis=-1, keepdims=True)
        # After what was never seen, all is as the order below has it.
        smoothed = (found + different * probabilities) / np.maximum(total + different, 1.0)
        probabilities = np.where(total > 0, smoothed, probabilities)
    return probabilities
