"""The answers of a crowd become a transcript, and what is not used is counted and named."""

import random
import sys

import polars as pl
import pytest
from crowdkit.aggregation import ROVER
from pandas import DataFrame

from kaskad.corpora.crowd.aggregation import METHODS, Consensus, aggregate
from kaskad.corpora.crowd.answers import COLUMNS
from kaskad.corpora.crowd.rover import weighted_rover

SENTENCES = [
    "the cat sat on the mat",
    "a bird in the hand is worth two in the bush",
    "rain falls on the plain in spain",
    "every good boy deserves fruit today",
]


def answers(*rows: tuple[str, str, str | None], **more) -> pl.DataFrame:
    """Answers as (recording, worker, text)."""
    names = dict.fromkeys(["audio", "worker", "text"], pl.String)
    table = pl.DataFrame(rows, schema=names, orient="row")
    blank = {name: pl.lit(None, pl.String) for name in ("golden", "problem")}
    return table.with_columns(**blank).with_columns(**more).select(*COLUMNS, "problem")


def crowd(recordings: int = 40) -> tuple[pl.DataFrame, dict[str, str]]:
    """Two careful workers, two who get a fifth of the words wrong, one who writes nonsense."""
    draw = random.Random(0)
    rates = {"careful": 0.02, "steady": 0.02, "hasty": 0.2, "tired": 0.2, "nonsense": 1.0}
    vocabulary = " ".join(SENTENCES).split()
    truth = {f"{n}.wav": draw.choice(SENTENCES) for n in range(recordings)}
    rows = [
        (
            audio,
            worker,
            " ".join(
                "qwerty" if rate == 1 else draw.choice(vocabulary) if draw.random() < rate else word
                for word in text.split()
            ),
        )
        for audio, text in truth.items()
        for worker, rate in rates.items()
    ]
    return answers(*rows), truth


def right(consensus: Consensus, truth: dict[str, str]) -> int:
    texts = dict(consensus.recordings.select("audio", "text").iter_rows())
    return sum(texts[audio] == text for audio, text in truth.items())


def test_with_equal_weights_rover_is_that_of_crowd_kit() -> None:
    draw = random.Random(1)
    tasks = {n: [draw.choices("abcdef", k=draw.randint(1, 9)) for _ in range(5)] for n in range(60)}
    table = [(n, " ".join(words)) for n, given in tasks.items() for words in given]
    expected = ROVER(str.split, " ".join).fit_predict(DataFrame(table, columns=["task", "text"]))
    assert {n: " ".join(weighted_rover(given)) for n, given in tasks.items()} == dict(expected)


def test_one_voter_of_weight_outvotes_two() -> None:
    given = [["the", "cat"], ["a", "hat"], ["a", "hat", "too"]]
    assert weighted_rover(given) == ["a", "hat"]
    assert weighted_rover(given, [3.0, 1.0, 1.0]) == ["the", "cat"]
    assert weighted_rover([]) == []


@pytest.mark.parametrize("method", METHODS)
def test_every_method_hears_through_the_noise(method: str) -> None:
    table, truth = crowd()
    consensus = aggregate(table, method=method, min_quality=0.3)
    assert right(consensus, truth) >= 34
    assert consensus.recordings["confidence"].is_between(0.5, 1.0).all()
    assert consensus.recordings["answers"].to_list() == [4] * 40


def test_quality_ranks_the_workers_and_the_better_count_more() -> None:
    disputed = [("it", worker, "won two") for worker in ("hasty", "tired")]
    table = pl.concat([crowd()[0], answers(("it", "careful", "one two"), *disputed)])
    consensus = aggregate(table)
    qualities = dict(consensus.workers.select("worker", "quality").iter_rows())
    assert qualities["nonsense"] < 0.1
    assert 0.7 < max(qualities["hasty"], qualities["tired"]) < 0.9
    assert min(qualities["careful"], qualities["steady"]) > 0.9
    weighted = aggregate(table, method="weighted_rover")
    texts = [each.recordings.filter(audio="it")["text"].item() for each in (consensus, weighted)]
    assert texts == ["won two", "one two"]


def test_a_worker_who_writes_nonsense_is_named_with_every_answer() -> None:
    dropped = aggregate(crowd()[0], min_quality=0.3).dropped
    assert dropped["worker"].to_list() == ["nonsense"] * 40
    assert dropped["reason"].str.contains(r"worker nonsense agrees .* in \d+ % .*=0\.3").all()


def test_a_transcript_that_answers_disagree_on_is_less_sure() -> None:
    table = answers(
        ("1", "a", "one two three"), ("1", "b", "One, two; three."), ("1", "c", "one two three"),
        ("2", "a", "four five six"), ("2", "b", "for five six"), ("2", "c", "four nine"),
    )  # fmt: skip
    one, two = aggregate(table).recordings.rows(named=True)
    assert (one["text"], one["confidence"]) == ("one two three", 1.0)
    assert two["text"] == "four five six"
    assert two["confidence"] < 0.9


def test_a_golden_answer_is_the_transcript_and_judges_the_workers() -> None:
    table = answers(
        ("1", "a", "yes"), ("1", "b", "no"), ("1", "c", "no"), ("2", "b", "one"),
    ).with_columns(golden=pl.Series(["Yes.", None, None, None]))  # fmt: skip
    consensus = aggregate(table)
    recording = consensus.recordings.row(0, named=True)
    assert (recording["text"], recording["confidence"], recording["golden"]) == ("yes", 1.0, True)
    a, b = (consensus.workers.filter(worker=name)["quality"].item() for name in "ab")
    assert a > b


def test_a_lone_answer_is_as_sure_as_its_worker() -> None:
    table, _ = crowd()
    alone = answers(("alone", "hasty", "who knows"), ("new", "stranger", "me"))
    consensus = aggregate(pl.concat([table, alone]))
    quality = dict(consensus.workers.select("worker", "quality").iter_rows())
    sure = {row["audio"]: row["confidence"] for row in consensus.recordings.rows(named=True)}
    assert sure["alone"] == quality["hasty"]
    assert 0 < quality["stranger"] < 1  # the crowd's mean


@pytest.mark.parametrize("method", METHODS)
def test_where_nobody_can_be_compared_nothing_is_claimed(method: str) -> None:
    consensus = aggregate(answers(("1", "a", "yes"), ("2", "b", "no")), method=method)
    assert consensus.recordings["text"].to_list() == ["yes", "no"]
    assert consensus.recordings["confidence"].to_list() == [None, None]
    assert consensus.workers["quality"].to_list() == [None, None]


def test_answers_that_cannot_be_used_are_named() -> None:
    problems = pl.Series([None] * 4 + ["rejected", None, "names no recording"])
    table = answers(
        ("1", "a", "one"), ("1", "b", " ?! "), ("1", "c", None), ("1", "a", "won"),
        ("1", "d", "one"), ("2", "a", ""), (None, "d", "lost"),
    ).with_columns(problem=problems)  # fmt: skip
    consensus = aggregate(table)
    assert consensus.dropped.select("audio", "worker", "text", "reason").rows() == [
        ("1", "b", " ?! ", "the answer is empty"),
        ("1", "c", None, "the answer is empty"),
        ("1", "a", "won", "the same worker has answered before"),
        ("1", "d", "one", "rejected"),
        ("2", "a", "", "the answer is empty"),
        (None, "d", "lost", "names no recording"),
    ]
    assert consensus.recordings.select("audio", "text", "answers").rows() == [
        ("1", "one", 1),
        ("2", None, 0),
    ]


def test_only_after_a_usable_answer_is_another_one_too_many() -> None:
    table = answers(
        ("1", "a", "won"), ("2", "a", ""), ("1", "a", "one"), ("2", "a", "two"), ("2", "a", "to"),
    ).with_columns(problem=pl.Series(["rejected", *[None] * 4]))  # fmt: skip
    consensus = aggregate(table)
    assert consensus.recordings.select("text", "answers").rows() == [("one", 1), ("two", 1)]
    assert consensus.dropped["text"].to_list() == ["won", "", "to"]


def test_of_golden_answers_that_differ_the_most_frequent_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    golden = pl.Series(["Yes", "no", "yes.", "no", "yes", None])
    rows = [("1", worker, "maybe") for worker in "abc"] + [("2", worker, "no") for worker in "abc"]
    consensus = aggregate(answers(*rows).with_columns(golden=golden))
    assert consensus.recordings["text"].to_list() == ["yes", "no"]
    assert "2 golden answers are not used" in caplog.text
    assert consensus.dropped.select("audio", "worker", "text").rows() == [
        ("1", None, "no"),
        ("2", None, "yes"),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_a_crowd_without_names_is_heard(method: str) -> None:
    nameless = answers(*[("1", None, text) for text in ("yes", "yes", "no", "lost")])
    problems = pl.Series([None, None, None, "rejected"])
    consensus = aggregate(nameless.with_columns(problem=problems), method=method)
    assert consensus.recordings.select("text", "answers").row(0) == ("yes", 3)
    assert consensus.workers["answers"].to_list() == [3]


def test_what_cannot_be_done_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    table = answers(("1", "a", "yes"), ("1", "b", "yes"))
    with pytest.raises(ValueError, match="'vote'; known: rover, weighted_rover, majority, hrrasa"):
        aggregate(table, method="vote")
    monkeypatch.setitem(sys.modules, "crowdkit", None)
    with pytest.raises(ImportError, match=r"pip install 'kaskad\[crowd\]', or .*weighted_rover"):
        aggregate(table)
    assert aggregate(table, method="weighted_rover").recordings["text"].item() == "yes"
