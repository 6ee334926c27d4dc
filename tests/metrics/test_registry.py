"""A metric is one entry, and whoever shows figures finds it there."""

import pytest

from kaskad.metrics.classification import confuse
from kaskad.metrics.error_rates import score
from kaskad.metrics.registry import METRICS, epoch_in_figures, find_metric, shown_in


def test_every_figure_of_a_report_has_an_entry() -> None:
    of_words = score(["сто", "ещё два"], ["сто", "еще два"], "ru", phones=list).figures()
    of_labels = confuse(["female", "male"], ["female", "female"]).figures()
    for name in [*of_words, *of_labels]:
        assert find_metric(f"test/{name}") is METRICS[name]
        assert METRICS[name].meaning, name


@pytest.mark.parametrize(
    ("logged", "line"),
    [
        ({"validation/wer": 0.1234}, ["WER 12.34 %"]),
        (
            {"validation/loss": 0.5, "training/loss_epoch": 1.0},
            ["loss 1.000", "validation loss 0.500"],
        ),
        ({"training/learning_rate": 0.0003}, ["learning rate 0.0003"]),
        ({"test/wer": 0.1, "training/unheard_of": 1.0}, []),
    ],
)
def test_an_epoch_tells_what_was_logged(logged: dict[str, float], line: list[str]) -> None:
    assert epoch_in_figures(logged) == line


def test_a_report_shows_what_its_corpora_have() -> None:
    corpora = [{"figures": {"cer": 0.1}}, {"figures": {"wer": 0.1, "balanced_error": 0.2}}]
    assert list(shown_in("report", corpora)) == ["wer", "cer"]
    assert find_metric("training/minutes") is None
