"""Alignments are the shortest, and what was confused is counted from them."""

import pytest

from kaskad.metrics.alignment import Edit, align, count_confusions


@pytest.mark.parametrize(
    ("reference", "hypothesis", "edits"),
    [
        ("one two", "one two", [Edit("equal", ["one", "two"], ["one", "two"])]),
        (
            "one two three",
            "won two and three",
            [
                Edit("substitute", ["one"], ["won"]),
                Edit("equal", ["two"], ["two"]),
                Edit("insert", [], ["and"]),
                Edit("equal", ["three"], ["three"]),
            ],
        ),
        ("one two", "", [Edit("delete", ["one", "two"], [])]),
        ("", "one two", [Edit("insert", [], ["one", "two"])]),
        ("", "", []),
    ],
)
def test_words_stand_beside_what_was_made_of_them(reference, hypothesis, edits) -> None:
    assert list(align([reference], [hypothesis], "words")) == [edits]


def test_nothing_is_aligned_with_nothing() -> None:
    assert list(align([], [], "characters")) == []
    assert count_confusions([], [], "words").is_empty()


def test_confusions_are_counted_the_most_frequent_first() -> None:
    references = ["сто два", "сто два", "раз", "пять"]
    hypotheses = ["сто да", "сто да", "", "но пять"]
    assert count_confusions(references, hypotheses, "words").rows() == [
        ("substitute", "два", "да", 2, 2),
        ("delete", "раз", "", 1, 1),
        ("insert", "", "но", 1, 0),
    ]
    letters = count_confusions(["сто два"], ["стодва"], "characters")
    assert letters.rows() == [("delete", " ", "", 1, 1)]
