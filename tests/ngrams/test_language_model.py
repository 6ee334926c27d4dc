"""What goes into a language model, what must not, and what its report says."""

import gzip
import logging
from pathlib import Path

import polars as pl
import pytest

from kaskad.ngrams.language_model import make_language_model
from kaskad.ngrams.lmplz import find_lmplz
from kaskad.text.characters import CharacterTokenizer

SPOKEN = pl.DataFrame(
    [
        ("сто пять", "ru", "train"),
        ("сто пять", "ru", "train"),
        ("пять сто два", "ru", "train"),
        ("two", "en", "train_ext"),
        (None, "ru", "train"),
        ("сто два", "ru", "validation"),
        ("два  рубля", "ru", "validation"),
        ("Пять сто два!", "ru", "test"),
    ],
    schema=["text", "language", "role"],
    orient="row",
)


@pytest.fixture(params=["kaskad", "lmplz"])
def estimator(request, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "kaskad":
        monkeypatch.setenv("LMPLZ", "/nowhere/lmplz")
    elif find_lmplz() is None:
        pytest.skip("no lmplz on the PATH or at $LMPLZ")
    return request.param


def test_what_is_tested_is_taken_out_of_all_text(estimator: str, tmp_path: Path, caplog) -> None:
    file = tmp_path / "more.txt.gz"
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        lines.write("Сто два.\r\n\nПять, сто: два?\nСто пять рублей\n")
    with caplog.at_level(logging.INFO):
        report = make_language_model(SPOKEN, tmp_path / "model.arpa", order=2, text=[str(file)])
    assert report["estimator"] == estimator
    assert report["sentences"] == {
        **{"train": 3, "train_ext": 1, "text": 3},
        **{"validation": 2, "test": 1},
    }
    assert report["removed"] == {"test": 2, "validation": 1, "held_out": 0}
    assert report["text"] == {"sentences": 4, "words": 8, "different_words": 4}
    assert "2 as in test, 1 as in validation, 0 as in held_out" in caplog.text
    frequencies = pl.read_csv(tmp_path / "model.frequencies.csv")
    assert frequencies.rows() == [("пять", 3), ("сто", 3), ("two", 1), ("рублей", 1)]
    held_out = report["held_out"]
    assert (held_out["sentences"], held_out["words"]) == (2, 4)
    assert held_out["out_of_vocabulary_rate"] == 0.75
    assert report["orders_with_fallback_discounts"] == [1, 2]
    assert "no discounts can be estimated for order 1, 2" in caplog.text


def test_a_closed_grammar_keeps_what_is_tested(tmp_path: Path) -> None:
    report = make_language_model(SPOKEN, tmp_path / "model.arpa", order=2, remove=[])
    assert report["removed"] == {}
    assert report["text"]["sentences"] == 4


def test_a_file_to_measure_on_is_not_trained_on(tmp_path: Path) -> None:
    file = tmp_path / "unseen.txt"
    file.write_text("сто пять\nпять пять\n", encoding="utf-8")
    report = make_language_model(SPOKEN, tmp_path / "model.arpa", order=1, held_out=str(file))
    assert report["removed"] == {"test": 1, "validation": 0, "held_out": 2}
    assert report["held_out"]["words"] == 4
    assert report["held_out"]["out_of_vocabulary_rate"] == 1.0  # only "two" is left


@pytest.mark.parametrize("listed", [False, True])
def test_a_vocabulary_is_cut(listed: bool, estimator: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("пять\nсто шесть")
    vocabulary = str(tmp_path / "words.txt") if listed else 2
    report = make_language_model(
        SPOKEN, tmp_path / "model.arpa", order=2, remove=[], vocabulary=vocabulary
    )
    assert report["n_grams"][0] == 5  # <unk>, <s>, </s>, пять, сто
    assert report["text"]["different_words"] == 4
    assert "рубля" not in (tmp_path / "model.arpa").read_text("utf-8")


def test_labels_are_units(tmp_path: Path) -> None:
    report = make_language_model(
        SPOKEN, tmp_path / "model.arpa", order=3, units="labels", tokenizer=CharacterTokenizer()
    )
    assert report["units"] == "labels of CharacterTokenizer"
    assert "\tт о ▁\n" in (tmp_path / "model.arpa").read_text("utf-8")
    assert report["held_out"]["out_of_vocabulary_rate"] == 0.0


@pytest.mark.parametrize(
    ("options", "content", "complaint"),
    [
        ({"order": 7}, None, "orders 1 to 6"),
        ({"order": 2, "prune": [1, 0]}, None, r"prune=\[1, 0\]: wants for each order"),
        ({"order": 6}, None, "longest sentence has 3 words, 5 with <s> and </s>"),
        ({"order": 2, "vocabulary": 0}, None, "vocabulary=0: no word of the text"),
        ({"order": 2}, "", "there is no sentence in it"),
        ({"order": 2}, "\n ?!\n", "there is no sentence in it"),
        ({"order": 2}, b"\xff\xfe\x31", "not a text in UTF-8"),
        ({"order": 2, "normalise": False}, "раз <s> два", "1 sentences have one of"),
    ],
)
def test_what_cannot_be_a_model_is_refused(options, content, complaint: str, tmp_path) -> None:
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        options = {**options, "text": [str(file)]}
    with pytest.raises(ValueError, match=complaint):
        make_language_model(SPOKEN, tmp_path / "model.arpa", remove=[], **options)
    assert not (tmp_path / "model.arpa").exists()


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    repeated = SPOKEN.head(1).vstack(SPOKEN.head(1).with_columns(role=pl.lit("test")))
    with pytest.raises(
        ValueError,
        match=r"no sentence is left: all are also in test or .*language_model.remove=\[\]",
    ):
        make_language_model(repeated, tmp_path / "model.arpa", order=2)
    with pytest.raises(ValueError, match="there is no text: name files"):
        make_language_model(SPOKEN.tail(1), tmp_path / "model.arpa", order=2)
    with pytest.raises(FileNotFoundError, match="there is no such text"):
        make_language_model(SPOKEN, tmp_path / "model.arpa", order=2, text=["missing.txt"])
