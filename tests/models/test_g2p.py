"""A model of pronunciations takes the walk that everything takes, and reads no audio on it."""

import json
from itertools import product
from pathlib import Path

import polars as pl
import pytest
import torch

import kaskad
from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.corpora.pronunciations import make_pronunciations, read_pronunciations
from kaskad.data.checks import DataError
from kaskad.metrics.pronunciations import score, shares
from kaskad.models.pronunciation import PronunciationModel
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.text.phonemes import PhonemeTokenizer

SMALL = [
    "model=g2p",
    "model.encoder={hidden_size: 32, layers: 1, dropout: 0.0}",
    "model.attention_decoder={hidden_size: 48, dropout: 0.0}",
    "model.embedding_size=16",
    "data=pronunciations",
    "datamodule.max_words=32",
    "optimizer.lr=0.01",
    "trainer.max_epochs=16",
    "trainer.check_val_every_n_epoch=16",
    "trainer.precision=32-true",
    "logger=csv",
]
SPOKEN = {"a": "ɑ", "o": "o", "k": "k", "t": "t", "sh": "ʃ", "m": "m"}


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of three syllables, in which sh is one phone, k may be soft, and rows are of no use."""
    rows = []
    for parts in product(("k", "t", "sh", "m"), "ao", ("k", "t", "sh", "m"), "ao", ("", "t", "sh")):
        phones = " ".join(SPOKEN[part] for part in parts if part)
        rows.append(f"{''.join(parts)}\t{phones}")
        if parts[0] == "k":
            rows.append(f"{''.join(parts)}\tkʲ {phones[2:]}")
    rows += ["2fast\tf ɑ", "\tk ɑ", rows[0], "kosha\t"]
    path = tmp_path_factory.mktemp("words") / "dictionary.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(compose, dictionary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(compose("train", folder, *SMALL, f"data.path={dictionary}"))
    return folder


def test_it_learns_to_pronounce_words_it_never_saw(run: Path) -> None:
    report = json.loads((run / "report.json").read_text("utf-8"))
    test = report["corpora"]["test"]
    assert test["figures"]["per"] < 0.05
    assert test["figures"]["word_accuracy"] > 0.85
    assert test["figures"]["candidate_accuracy"] >= test["figures"]["word_accuracy"]
    low, high = test["intervals"]["per"]
    assert low <= test["figures"]["per"] <= high
    assert set(report["training"]["best"]) == {"validation/per"}


def test_rows_of_no_use_are_counted_and_named(run: Path) -> None:
    report = json.loads((run / "report.json").read_text("utf-8"))
    assert sum(report["dictionary"]["left_out"].values()) == 4
    assert report["dictionary"]["left_out"]["a digit in the word"] == 1
    assert "2fast" in pl.read_csv(run / "skipped.csv")["word"].to_list()


def test_several_candidates_a_word(run: Path) -> None:
    model = kaskad.load(run)
    (first, second, *rest), (other, *_) = model.pronounce(["Kasha", "tomo"], n_best=6)
    assert {first.phones, second.phones} == {"k ɑ ʃ ɑ", "kʲ ɑ ʃ ɑ"}
    assert len(rest) == 4 and first.probability >= second.probability > rest[0].probability
    assert other.phones == "t o m o"
    alone = [model.pronounce([word])[0][0] for word in ("kasha", "tomo")]
    assert [each.phones for each in alone] == [first.phones, other.phones]
    assert alone[1].probability == pytest.approx(other.probability, rel=1e-3)


@pytest.mark.parametrize("word", ["", "kas4", "каша"])
def test_words_with_letters_it_does_not_know_are_refused(word: str, run: Path) -> None:
    with pytest.raises(ValueError, match=rf"1 of 2 words .*'{word}'.*it knows a h k m o s t"):
        kaskad.load(run).pronounce(["kasha", word])


def test_it_serves_a_tokenizer_where_the_dictionary_ends(run: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("kot\tk o t a\n", encoding="utf-8")
    tokenizer = PhonemeTokenizer(pronunciations=[str(words), str(run)])
    assert tokenizer.spell(["kot tomo"], "ru") == ["kotɑ tomo".replace("ɑ", "a")]
    with pytest.raises(CheckpointError, match=r"serves as tokenizer.pronunciations="):
        load_recogniser(run)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    run: Path, compose, dictionary: Path, tmp_path: Path, cut_off
) -> None:
    config = compose("train", tmp_path, *SMALL, f"data.path={dictionary}")
    cut_off(PronunciationModel, 60, lambda: train(config))
    train(compose("train", tmp_path, f"resume={tmp_path}"))
    whole, resumed = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (run, tmp_path)
    )
    torch.testing.assert_close(whole["state_dict"], resumed["state_dict"], rtol=0, atol=0)


def test_the_nearest_of_several_references_counts() -> None:
    scored = score([["a b c", "a d"], ["x"], ["x y"]], [["a d", "a"], [], ["y", "x y"]])
    assert scored["errors"].to_list() == [0, 1, 1]
    assert scored["phones"].to_list() == [2, 1, 2]
    figures = {name: each.value for name, each in shares(scored).items()}
    assert figures["per"] == pytest.approx(2 / 5)
    assert figures["word_accuracy"] == pytest.approx(1 / 3)
    assert figures["candidate_accuracy"] == pytest.approx(2 / 3)


def test_the_words_of_all_folds_are_all_words_once(dictionary: Path) -> None:
    whole = read_pronunciations(dictionary, split="all")
    good = whole.filter(problem="")
    tests = [
        read_pronunciations(dictionary, folds=5, fold=fold, split="test").filter(problem="")
        for fold in range(5)
    ]
    assert sorted(pl.concat(tests)["word"]) == sorted(good["word"])
    for word, parts in good.group_by("word").agg(pl.col("split").n_unique()).iter_rows():
        assert parts == 1, word
    few = read_pronunciations(dictionary, most=20, split="all").filter(problem="")
    assert few["word"].n_unique() == 20
    with pytest.raises(ValueError, match="at least 3 folds"):
        read_pronunciations(dictionary, folds=10, fold=10)


def test_espeak_makes_a_dictionary_without_words_spelt_by_letter(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Чай, молоко! молоко\nгсптр 5 за́мок", encoding="utf-8")
    table = make_pronunciations(str(text), language="ru", split="all")
    pronounced = dict(table.select("word", "pronunciation").iter_rows())
    assert pronounced["чай"] == "t͡ʃʲ ˈɑ j"
    assert set(pronounced) == {"чай", "молоко", "гсптр", "замок"}
    assert table.filter(pl.col("problem") != "")["word"].to_list() == ["гсптр"]


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["data=none"], DataError, "there is no dictionary: data=pronunciations"),
        (["datamodule=text"], ConfigurationError, "datamodule=pronunciations"),
        (["init_from=runs"], ConfigurationError, "a model of pronunciations cannot start"),
        (["data.most=2"], DataError, "no word has the role"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    overrides, error, message, compose, dictionary: Path, tmp_path: Path
) -> None:
    settings = [each for each in SMALL if not each.startswith("datamodule.")]
    settings += [] if "data=none" in overrides else [f"data.path={dictionary}"]
    with pytest.raises(error, match=message):
        train(compose("train", tmp_path, *settings, *overrides))
