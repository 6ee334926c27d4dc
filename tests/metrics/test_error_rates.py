"""Error rates agree with alignments made by hand."""

import pytest

from kaskad.metrics.error_rates import ErrorCounts, ErrorRates, count_errors, score


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        # hits, substitutions, deletions, insertions
        ("one two three", "one two three", (3, 0, 0, 0)),
        ("one two three", "one too three", (2, 1, 0, 0)),
        ("one two three", "one three", (2, 0, 1, 0)),
        ("one two three", "one two and three", (3, 0, 0, 1)),
        ("one two three four five", "won two four five six", (3, 1, 1, 1)),
        ("one two", "", (0, 0, 2, 0)),
        ("", "one two", (0, 0, 0, 2)),
        ("", "", (0, 0, 0, 0)),
    ],
)
def test_words_are_aligned(reference: str, hypothesis: str, counts: tuple[int, ...]) -> None:
    assert score([reference], [hypothesis], "ru").errors("words") == ErrorCounts(*counts)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("два", "две", (2, 1, 0, 0)),
        ("сто два", "стодва", (6, 0, 1, 0)),
        ("сто", "сто да", (3, 0, 0, 3)),
        ("", "да", (0, 0, 0, 2)),
        ("да", "", (0, 0, 2, 0)),
    ],
)
def test_characters_are_aligned_blanks_included(
    reference: str, hypothesis: str, counts: tuple[int, ...]
) -> None:
    assert score([reference], [hypothesis], "ru").errors("characters") == ErrorCounts(*counts)


def test_rates_are_over_all_words_not_a_mean_over_utterances() -> None:
    references = ["one", "one two three four five six seven eight nine", ""]
    hypotheses = ["two", "one two three four five six seven eight nine", "ten"]
    scores = score(references, hypotheses, "en")
    assert scores.errors("words") == ErrorCounts(hits=9, substitutions=1, insertions=1)
    assert (scores.figures()["wer"], scores.figures()["werc"]) == (2 / 10, 1 / 10)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "wer", "werc"),
    [("one", "two three four", 3.0, 1.0), ("", "one two", 2.0, 0.0)],
)
def test_rates_may_pass_one(reference: str, hypothesis: str, wer: float, werc: float) -> None:
    figures = score([reference], [hypothesis], "en").figures()
    assert (figures["wer"], figures["werc"]) == (wer, werc)


def test_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="2 references, but 1 hypotheses"):
        count_errors(["one", "two"], ["one"], "words")


def test_numbers_count_where_the_reference_is_one() -> None:
    references = ["сто двадцать три", "сто двадцать три", "две тысячи", "семь", "мама мыла раму"]
    hypotheses = ["сто двадцать три", "сто двадцать", "два тысячи", "сем", "мама мыла раму"]
    scores = score(references, hypotheses, "ru")
    assert (scores.utterances, scores.numbers) == (5, 4)
    # 123 was recognised as 120, and 7 as nothing.
    assert scores.errors("digits") == ErrorCounts(hits=9, substitutions=1, deletions=1)
    figures = scores.figures()
    assert figures["sentence_accuracy"] == 2 / 5
    assert figures["wer"] == figures["werc"] == 3 / 12
    # "два тысячи" is bad Russian, but the right number.
    assert (figures["number_accuracy"], figures["digit_cer"]) == (2 / 4, 2 / 11)


def test_a_stored_table_makes_the_same_scores() -> None:
    scores = score(["сто два", "", "раз"], ["сто", "да", "раз"], "ru")
    again = ErrorRates(scores.table.clone())
    assert (again.figures(), again.counts()) == (scores.figures(), scores.counts())


@pytest.mark.parametrize(("text", "language"), [("мама мыла раму", "ru"), ("yirmi üç", "tr")])
def test_without_numbers_there_are_no_figures_of_them(text: str, language: str) -> None:
    figures = score([text], [text], language).figures()
    assert figures == {"wer": 0.0, "werc": 0.0, "cer": 0.0, "sentence_accuracy": 1.0}


def test_phones_are_compared_without_the_borders_of_words() -> None:
    references, hypotheses = ["да два"], ["дад ва но"]
    scores = score(
        references,
        hypotheses,
        "ru",
        phones=lambda texts: [" ".join(t.replace(" ", "")) for t in texts],
    )
    assert scores.errors("phones") == ErrorCounts(hits=5, insertions=2)
    assert scores.figures()["wer"] == 3 / 2
    assert (scores.figures()["per"], scores.figures()["perc"]) == (2 / 5, 0.0)
    assert scores.counts()["phones"]["insertions"] == 2


@pytest.mark.parametrize(
    ("references", "hypotheses", "wer", "plain"),
    [
        (["ещё раз"], ["еще два"], 2 / 2, 1 / 2),
        (["за\u0301мок"], ["замок"], 1 / 1, 0.0),
        (["ёж"], ["е\u0308ж"], 1 / 1, 0.0),
        (["мой"], ["мои"], 1 / 1, None),
        (["еще"], ["еще"], 0.0, None),
        (["café"], ["cafe"], 1 / 1, None),
    ],
)
def test_yo_and_stress_are_kept_from_other_errors(references, hypotheses, wer, plain) -> None:
    figures = score(references, hypotheses, "ru").figures()
    assert (figures["wer"], figures.get("wer_plain")) == (wer, plain)
