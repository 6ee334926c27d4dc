"""What looks the same is the same, and capitals are those of the language."""

import polars as pl
import pytest

from kaskad.text.folding import without_stress_marks
from kaskad.text.normalisation import normalise


@pytest.mark.parametrize(
    ("written", "language", "folded"),
    [
        ("све\u00adча\u200bми по\u2011русски", "ru", "свечами по-русски"),
        ("\ufeffда\u2060 \u200fнет", "ru", "да нет"),
        ("п‘ять п´ять пʹять п＇ять", "uk", "п'ять п'ять п'ять п'ять"),
        ("İSTANBUL IŞIK", "tr", "istanbul ışık"),
        ("İstanbul IT", "en", "istanbul it"),
        ("и\u0306од Ko\u0308ln", None, "йод köln"),
        ("3\u22125", "ru", "3-5"),
    ],
)
def test_characters_are_folded(written: str, language: str | None, folded: str) -> None:
    spoken = normalise(pl.lit(written), pl.lit(language, pl.String))
    assert pl.select(spoken).item() == folded


def test_stress_marks_go_and_other_accents_stay() -> None:
    marked = ["за\u0301мок замо\u0300к", "й ё é"]
    assert without_stress_marks(marked) == ["замок замок", "й ё é"]
