"""Tables say where the errors are."""

import polars as pl

from kaskad.metrics.classification import confuse
from kaskad.metrics.error_rates import score
from kaskad.reports.breakdown import (
    break_down,
    digit_positions,
    groups,
    histogram,
    magnitudes,
    phones,
)


def test_bars_of_the_histogram_end_with_their_number() -> None:
    # 0 %, 5 % of 20 words, 1/19, 100 %, 150 %, both empty, an empty reference
    table = pl.DataFrame(
        {
            "words": [4, 20, 19, 2, 2, 0, 0],
            "word_substitutions": [0, 1, 1, 2, 2, 0, 0],
            "word_deletions": 0,
            "word_insertions": [0, 0, 0, 0, 1, 0, 2],
        }
    )
    rows = histogram(table).filter(pl.col("utterances") > 0).rows()
    assert rows == [(None, 0, 2), (0, 5, 1), (5, 10, 1), (95, 100, 1), (100, None, 2)]


def test_figures_are_broken_down_by_length_and_by_columns_of_the_manifest() -> None:
    references, hypotheses = ["раз"] * 4, ["раз", "два", "раз", "раз"]
    results = pl.DataFrame(
        {
            "id": list("abcd"),
            "duration": [0.5, 1.5, 1.6, 0.6],
            "speaker": ["anna", "anna", "boris", None],
            "gender": ["f", "f", "m", "m"],
            "device": ["phone"] * 4,
            "words": [1, 1, 2, 2],
        }
    )
    table = groups(results, score(references, hypotheses, "ru"))
    assert table.select("column", "group", "utterances", "wer").rows() == [
        ("length", "up to 1 s", 2, 0.0),
        ("length", "1–2 s", 2, 0.5),
        ("gender", "f", 2, 0.5),
        ("gender", "m", 2, 0.0),
    ]
    assert table.filter(group="f").select("wer_low", "wer_high").row(0) == (0.0, 1.0)


def test_an_unknown_speaker_is_a_group_too() -> None:
    results = pl.DataFrame({"speaker": ["anna", "anna", None, None]})
    table = groups(results, score(["раз"] * 4, ["раз"] * 4, "ru"))
    assert table["group"].to_list() == ["anna", "unknown"]


def test_labels_have_groups_but_no_words() -> None:
    results = pl.DataFrame({"speaker": ["a", "a", "b", "b"]})
    tables = break_down(results, confuse(["f", "f", "m", "m"], ["f", "f", "m", "f"]))
    assert set(tables) == {"figures", "groups"}
    assert tables["groups"]["balanced_accuracy"].to_list() == [1.0, 0.5]


def test_numbers_err_by_magnitude_and_by_place() -> None:
    references = ["сто двадцать три", "сорок пять", "семь"]
    hypotheses = ["сто двадцать пять", "сорок", "ну"]
    numbers = score(references, hypotheses, "ru").table
    table = magnitudes(numbers)
    assert table.select("digits", "utterances", "wrong", "no_number").rows() == [
        (1, 1, 1, 1),
        (2, 1, 1, 0),
        (3, 1, 1, 0),
    ]
    assert digit_positions(numbers).select("position", "utterances", "wrong").rows() == [
        (0, 3, 3),
        (1, 2, 0),
        (2, 1, 0),
    ]


def test_each_phone_of_each_language_is_counted_apart() -> None:
    references, hypotheses = ["a b a", "a c"], ["a d a", "c"]
    results = pl.DataFrame({"id": ["1", "2"], "language": ["ru", "uk"]})
    scores = score(references, hypotheses, "ru", phones=list)
    assert phones(scores.table, results).rows() == [
        ("ru", "a", 2, 1.0, None),
        ("ru", "b", 1, 0.0, "d"),
        ("uk", "a", 1, 0.0, ""),
        ("uk", "c", 1, 1.0, None),
    ]
    assert "phones" in break_down(results.with_columns(duration=1.0), scores)
