"""Transcripts that sound the same are spelt the same, and what sounds different stays different."""

import polars as pl
import pytest

from kaskad.text.normalisation import normalise

SPELLINGS = {
    "Да!": "да",
    "  Сто,  один\t(101)\n": "сто один 101",
    "По-русски — так": "по-русски так",
    "п’ять": "п'ять",
    "п`ять пʼять": "п'ять п'ять",
    "'quoted' -dash- rock'n'roll": "quoted dash rock'n'roll",
    "- - '": "",
    "да -- нет--да": "да нет да",
    "under_score/slash": "under score slash",
    "и\u0306 е\u0308": "й ё",
    "Ещё все": "ещё все",
    "SIFIR çox üç": "sifir çox üç",
    "«Ёлка…»": "ёлка",
    "हिन्दी": "हिन्दी",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_a_transcript_is_spelt_as_it_is_compared(text: str, expected: str) -> None:
    once = pl.select(normalise(pl.lit(text))).item()
    assert once == expected
    assert pl.select(normalise(pl.lit(once))).item() == once


def test_no_transcript_stays_none() -> None:
    assert pl.select(normalise(pl.lit(None, pl.String))).item() is None
