"""Tables spell the genders in many ways."""

import polars as pl
import pytest

from kaskad.text.genders import normalise_gender


@pytest.mark.parametrize(
    ("gender", "written"),
    [
        ("female", ["female", "F", " f ", "woman", "жен.", "Ж", "женский", "female_feminine"]),
        ("male", ["male", "Male", "m", "man", "муж", "М", "мужской", "male_masculine"]),
        (None, ["", "other", "fm", "unknown", None]),
    ],
)
def test_spellings_of_a_gender_are_one(gender: str | None, written: list[str | None]) -> None:
    found = (
        pl.Series("gender", written, pl.String)
        .to_frame()
        .select(normalise_gender(pl.col("gender")))
    )
    assert found["gender"].to_list() == [gender] * len(written)


def test_a_column_that_holds_no_words_at_all_holds_no_genders() -> None:
    for empty in (pl.Series("gender", [None, None]), pl.Series("gender", [0, 1])):
        found = empty.to_frame().select(normalise_gender(pl.col("gender")))
        assert found["gender"].null_count() == 2
