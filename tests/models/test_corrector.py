"""A corrector mends what is misrecognised again and again, and else leaves texts as they are."""

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.data.checks import DataError
from kaskad.data.corrections import Sentence
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.metrics.corrections import score, summary
from kaskad.models.corrected import correct_with, corrected
from kaskad.models.corrector import Corrector
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.trusted_parts import load_model
from kaskad.text.characters import CharacterTokenizer

TENS = ["двадцать", "тридцать", "сорок"]
ONES = ["один", "два", "три"]
SMALL = [
    "model=corrector",
    "model.encoder={hidden_size: 24, layers: 1, dropout: 0.0}",
    "model.embedding_size=12",
    "datamodule.simulated=0",
    "optimizer.lr=0.02",
    "trainer.max_epochs=6",
    "trainer.precision=32-true",
    "logger=csv",
]


def write_tested_run(folder: Path, corpora: dict[str, list[tuple[str, str, list[str]]]]) -> Path:
    """The folder of a tested run: references, hypotheses and their alternatives."""
    rows = [
        (name, f"{name}-{number}", *row)
        for name, sentences in corpora.items()
        for number, row in enumerate(sentences)
    ]
    columns = ["corpus", "id", "reference", "hypothesis", "alternatives"]
    (folder / "tables").mkdir(parents=True)
    kinds = {"alternatives": pl.List(pl.String)}
    table = pl.DataFrame(rows, columns, schema_overrides=kinds, orient="row")
    table.write_parquet(folder / "tables" / "hypotheses.parquet")
    manifest = {"_target_": "kaskad.corpora.read_table", "path": "speech"}
    folds = {"manifest": manifest, "folds": 2, "fold": 0}
    trained = {
        "train": {"role": "train", **folds},
        "held_out": {"role": "test", "split": "train", **folds},
        "test": {"role": "test", "manifest": manifest},
    }
    OmegaConf.save({"data": {"corpora": trained}}, folder / "config.yaml")
    return folder


def recognised(reference: str, draw: random.Random) -> tuple[str, str, list[str]]:
    """тридцать becomes дрицать, ноль is added after сорок, and два is lost at times; where один
    is found for два, an alternative says so."""
    hypothesis = reference.replace("тридцать", "дрицать").replace("сорок", "сорок ноль")
    if "два" in reference.split() and draw.random() < 0.5:
        return reference, hypothesis.replace(" два", " один"), [hypothesis]
    return reference, hypothesis, [hypothesis.replace(" три", "")]


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = random.Random(0)
    references = [f"{draw.choice(TENS)} {draw.choice(ONES)}" for _ in range(400)]
    rows = [recognised(each, draw) for each in references]
    rows[7] = (rows[7][0], "", [])
    folder = tmp_path_factory.mktemp("tested")
    return write_tested_run(folder, {"held_out": rows[:300], "test": rows[300:]})


@pytest.fixture(scope="module")
def run(compose, tested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(compose("train", folder, *SMALL, f"data.runs={tested}", f"data.test={tested}"))
    return folder


def test_it_mends_and_hardly_breaks(run: Path) -> None:
    report = json.loads((run / "report.json").read_text("utf-8"))
    test = report["corpora"]["test"]
    assert test["figures"]["wer"] < 0.1 * test["figures"]["wer_uncorrected"]
    assert test["corrections"]["mended"] > 0.9 * test["wrong"]
    assert test["corrections"]["broken"] == 0
    assert test["within_reach"] == test["wrong"]
    low, high = test["corrections"]["gain_interval"]
    assert 0 < low <= test["corrections"]["gain"] <= high
    assert report["hypotheses"]["empty"] == 1
    table = pl.read_csv(run / "corrections.csv")
    assert set(table["outcome"]) <= {"mended", "better", "untouched", "changed"}


def test_alternatives_vote_and_an_empty_text_stays_empty(run: Path) -> None:
    corrector, _ = load_model(run / "checkpoints" / "best.ckpt")
    assert isinstance(corrector, Corrector)
    texts = [
        ("двадцать один", ["двадцать два"]),
        ("двадцать один", ["двадцать один три"]),
        ("", []),
        ("дрицать ♥ три", []),
    ]
    found = corrector.correct([Sentence(text, "", others) for text, others in texts])
    corrected = [" ".join(each.word for each in words) for words in found]
    assert corrected[:3] == ["двадцать два", "двадцать один", ""]
    assert corrected[3].split()[0] == "тридцать"


def test_where_nothing_can_be_learned_it_copies(compose, tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [(draw.choice(ONES), draw.choice(ONES), []) for _ in range(200)]
    rows += [(each, each, []) for each in ONES for _ in range(100)]
    draw.shuffle(rows)
    tested = write_tested_run(tmp_path / "tested", {"held_out": rows, "test": rows})
    settings = [*SMALL, "trainer.max_epochs=2", f"data.runs={tested}", f"data.test={tested}"]
    train(compose("train", tmp_path, *settings))
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["margin"] is None
    test = report["corpora"]["test"]
    assert test["corrections"]["untouched"] == test["sentences"]
    assert test["corrections"]["gain_interval"] == [0.0, 0.0]


def test_a_corrected_hypothesis_keeps_times_and_what_it_was(run: Path) -> None:
    corrector, _ = load_model(run / "checkpoints" / "best.ckpt")
    words = [Word("сорок", 0.1, 0.5, 0.9), Word("ноль", 0.6, 0.8, 0.9), Word("три", 0.9, 1.2, 0.9)]
    timed = Hypothesis("сорок ноль три", -1.0, words)
    right = Hypothesis("двадцать один", -1.0)
    assert isinstance(corrector, Corrector)
    first, second = corrected(corrector, [timed, right])
    assert (first.text, first.uncorrected) == ("сорок три", "сорок ноль три")
    assert first.words == [words[0], words[2]]
    assert (second.text, second.uncorrected) == ("двадцать один", "двадцать один")


@pytest.mark.parametrize(
    ("alphabet", "target", "language", "error", "message"),
    [
        ("авдт", "text", "uk", CheckpointError, "a corrector of the language ru.* of uk"),
        ("abcd", "text", "ru", ValueError, "this corrector spells with .*writes a b c d"),
        ("авдт", "gender", "ru", CheckpointError, "recognises gender"),
    ],
)
def test_a_corrector_of_something_else_is_refused(
    run: Path, alphabet: str, target: str, language: str, error, message: str
) -> None:
    recogniser: Any = SimpleNamespace(tokenizer=CharacterTokenizer([*alphabet]), target=target)
    with pytest.raises(error, match=message):
        correct_with(recogniser, run, language)


def test_outcomes_of_corrections() -> None:
    references = ["a b", "a b", "a b", "a b", "a b", "a b"]
    before = ["a c", "a b", "c c", "a c", "a c", "a b"]
    after = ["a b", "a c", "a c", "c c", "a d", "a b"]
    scored = score(references, before, after)
    outcomes = ["mended", "broken", "better", "worse", "changed", "untouched"]
    assert scored["outcome"].to_list() == outcomes
    assert summary(scored)["gain"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["data=none"], DataError, "no hypothesis has the role 'train'"),
        (["datamodule=text"], ConfigurationError, "datamodule=corrections"),
        (["data.held_out=other"], DataError, "no corpus 'other', only held_out, test"),
        (["data.held_out=train"], DataError, "no corpus 'train'"),
        (["data.validation_share=0"], DataError, "validation_share=0"),
        (["+model.encoder.time_reduction=2"], Exception, "a frame for each letter"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    overrides, error, message, compose, tested: Path, tmp_path: Path
) -> None:
    settings = [each for each in SMALL if not each.startswith("datamodule.")]
    if "data=none" not in overrides:
        settings += [f"data.runs={tested}", f"data.test={tested}"]
    with pytest.raises(error, match=message):
        train(compose("train", tmp_path, *settings, *overrides))


def test_what_a_recogniser_trained_on_is_refused(compose, tested: Path, tmp_path: Path) -> None:
    corpora = OmegaConf.load(tested / "config.yaml")
    del corpora.data.corpora.train.fold, corpora.data.corpora.train.folds
    del corpora.data.corpora.held_out.fold, corpora.data.corpora.held_out.folds
    bad = tmp_path / "bad"
    (bad / "tables").mkdir(parents=True)
    table = "tables/hypotheses.parquet"
    (bad / table).write_bytes((tested / table).read_bytes())
    OmegaConf.save(corpora, bad / "config.yaml")
    with pytest.raises(DataError, match="its recogniser trained on 'held_out'"):
        train(compose("train", tmp_path, *SMALL, f"data.runs={bad}", f"data.test={tested}"))


@pytest.mark.slow
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    run: Path, tested: Path, compose, tmp_path: Path, cut_off
) -> None:
    config = compose("train", tmp_path, *SMALL, f"data.runs={tested}", f"data.test={tested}")
    cut_off(Corrector, 12, lambda: train(config))
    train(compose("train", tmp_path, f"resume={tmp_path}"))
    whole, resumed = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (run, tmp_path)
    )
    torch.testing.assert_close(whole["state_dict"], resumed["state_dict"], rtol=0, atol=0)
