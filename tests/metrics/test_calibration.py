"""Confidences are held against how often words are right, and a temperature mends them."""

import numpy as np
import pytest

from kaskad.metrics.calibration import calibration, fit_temperature, words_right


def draws(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and words that are right as often as they say."""
    generator = np.random.default_rng(seed)
    sure = generator.uniform(0.02, 0.98, count)
    return sure, generator.random(count) < sure


def test_a_confidence_that_tells_the_truth_has_no_error() -> None:
    sure, right = draws(20_000)
    found = calibration(sure, right)
    assert found is not None
    assert found["expected_calibration_error"] < 0.02
    assert found["temperature"] == pytest.approx(1.0, abs=0.05)
    assert sum(each["words"] for each in found["reliability"]) == 20_000


def test_a_temperature_mends_what_is_too_sure() -> None:
    sure, right = draws(20_000)
    claimed = sure ** (1 / 3)  # says 0.8 where half are right
    found = calibration(claimed, right)
    assert found is not None and found["expected_calibration_error"] > 0.15
    temperature = fit_temperature(claimed, right)
    assert temperature == pytest.approx(1 / 3, abs=0.03)
    mended = calibration(claimed ** (1 / temperature), right)
    assert mended is not None and mended["expected_calibration_error"] < 0.02


def test_errors_below_a_threshold_are_caught() -> None:
    found = calibration(np.array([0.4, 0.6, 0.9, 0.995]), np.array([False, False, True, True]))
    assert found is not None
    shares = {each["threshold"]: (each["errors"], each["right_words"]) for each in found["caught"]}
    assert shares[0.5] == (0.5, 0.0)
    assert shares[0.7] == (1.0, 0.0)
    assert shares[0.95] == (1.0, 0.5)
    assert calibration(np.array([]), np.array([])) is None


def test_words_are_right_where_the_reference_has_them() -> None:
    sure, right = words_right(
        ["один два", "три", "пять"],
        ["один три два", "", "шесть"],
        [[0.9, 0.2, 0.8], [], [0.3]],
    )
    assert sure.tolist() == [0.9, 0.2, 0.8, 0.3]
    assert right.tolist() == [True, False, True, False]
