"""Representations are compared by what they tell apart, not by which unit does."""

import numpy as np
import pytest

from kaskad.metrics.similarity import linear_cka

DRAW = np.random.default_rng(0)


def test_turned_and_scaled_it_is_the_same() -> None:
    frames = DRAW.normal(size=(200, 6))
    turned, _ = np.linalg.qr(DRAW.normal(size=(6, 6)))
    assert linear_cka(frames, 3.0 * frames @ turned + 5.0) == pytest.approx(1.0)


def test_what_has_nothing_to_do_with_it_is_not() -> None:
    frames = DRAW.normal(size=(2_000, 4))
    assert linear_cka(frames, DRAW.normal(size=(2_000, 9))) < 0.05
    half = np.concatenate([frames[:, :2], DRAW.normal(size=(2_000, 2))], axis=1)
    assert 0.3 < linear_cka(frames, half) < 0.7
    assert linear_cka(frames, np.ones((2_000, 3))) == 0.0


def test_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="3 frames beside 4"):
        linear_cka(np.zeros((3, 2)), np.zeros((4, 2)))
