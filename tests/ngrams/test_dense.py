"""An n-gram of few labels, every probability of it."""

import numpy as np
import pytest

from kaskad.ngrams.dense import estimate_dense


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_after_every_history_add_up_to_one(order: int) -> None:
    found = estimate_dense([[1, 2, 2], [1], []], labels=5, order=order)
    assert found.shape == (5,) * order
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)
    assert found.min() > 0.0


def test_what_followed_often_is_likelier_and_what_never_did_has_the_order_below() -> None:
    # Of 4 labels and 2 ends: 1, 2, end, 1, 1, end. Three kinds of them, so (3 + 3 / 4) / (6 + 3).
    found = estimate_dense([[1, 2], [1, 1]], labels=4, order=2)
    one = (3 + 3 / 4) / 9
    # After 1 came 2, 1 and the end, once each; nothing was ever after 3.
    np.testing.assert_allclose(found[1, 1], (1 + 3 * one) / 6)
    np.testing.assert_allclose(found[3, 1], one)
    np.testing.assert_allclose(found[0, 1], (2 + one) / 3)
