"""Edits make another text of a text; errors are simulated as often as they occurred."""

import random
from functools import partial

import polars as pl
import pytest

from kaskad.data.checks import DataError
from kaskad.data.corpus import Corpus
from kaskad.data.edits import edited, edits_between, last_letters
from kaskad.data.simulated_errors import SimulatedErrors

LABELS = ["", " a", " b", " c"]


def test_edits_make_the_other_text_or_say_that_they_do_not() -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices(["a", "b", "c", "x"], k=draw.randrange(5))) for _ in range(600)]
    pairs = [*zip(texts[:300], texts[300:], strict=True)]
    complete = 0
    found = edits_between(texts[:300], texts[300:], LABELS)
    for (one, other), edits in zip(pairs, found, strict=True):
        made = " ".join(word for word, _ in edited(one, edits.places, LABELS))
        assert len(edits.places) == 2 * len(one.split()) + 1 == len(last_letters(one)[1])
        assert edits.complete == (made == other)
        complete += edits.complete
    assert 30 < complete < 300


def test_a_place_is_read_where_its_word_ends() -> None:
    text, places = last_letters("ab c")
    assert [text[place] for place in places] == [" ", "b", " ", "c", " "]
    assert last_letters("") == (" ", [0])


def test_errors_are_as_frequent_as_they_were() -> None:
    references = ["a b"] * 100
    hypotheses = ["a b"] * 60 + ["c b"] * 20 + ["a"] * 15 + ["a b a"] * 5
    errors = SimulatedErrors(references, hypotheses)
    found = errors(["a", "b"] * 4000, seed=1)
    assert found == errors(["a", "b"] * 4000, seed=1) != errors(["a", "b"] * 4000, seed=2)
    counts = pl.Series(found[::2]).value_counts()
    shares = {text: count / 4000 for text, count in counts.iter_rows()}
    assert shares["c"] == pytest.approx(0.2, abs=0.03)
    assert pl.Series(found[1::2]).eq("").mean() == pytest.approx(0.15, abs=0.03)
    # A word that is in no reference is misheard letter by letter.
    letters = SimulatedErrors(["ab"] * 10, ["ab"] * 5 + ["cb"] * 5)(["aaa"] * 500, seed=0)
    assert "".join(letters).count("c") / 1500 == pytest.approx(0.5, abs=0.06)


def spoken(split: str, speakers: int) -> pl.DataFrame:
    rows = [(f"{n}", f"s{n % speakers}" if speakers else None) for n in range(40)]
    return pl.DataFrame(rows, {"id": pl.String, "speaker": pl.String}, orient="row")


@pytest.mark.parametrize("speakers", [0, 2, 7])
def test_each_utterance_is_held_out_once_and_a_speaker_is_in_one_fold(speakers: int) -> None:
    manifest = partial(spoken, speakers=speakers)
    held_out = []
    for fold in range(3):
        train, test = (
            Corpus(role, "ru", manifest, "train", folds=3, fold=fold).load()
            for role in ("train", "test")
        )
        assert sorted([*train["id"], *test["id"]]) == sorted(map(str, range(40)))
        if speakers >= 3:
            assert not {*train["speaker"]} & {*test["speaker"]}
        held_out += test["id"].to_list()
        assert 5 < test.height < 22
    assert sorted(held_out) == sorted(map(str, range(40)))


def test_folds_that_cannot_be_are_refused() -> None:
    manifest = partial(spoken, speakers=0)
    with pytest.raises(ValueError, match="fold=3"):
        Corpus("train", "ru", manifest, folds=3, fold=3)
    with pytest.raises(DataError, match="41 folds of 40 utterances"):
        Corpus("train", "ru", manifest, folds=41).load()
