"""Runs of a cascade: it learns several languages side by side and listens to one of them."""

import json
import logging
import runpy
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
import soundfile
import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kaskad.commands.evaluate import evaluate
from kaskad.commands.extract_language import extract_language
from kaskad.commands.train import train
from kaskad.commands.transcribe import transcribe
from kaskad.data.checks import DataError
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cascade.py"
HEADS = ["shared", "per_language"]
SIZES = ["model.encoder.shared.hidden_size=8", "model.encoder.time_reduction=2", "augment=none"]
BESIDE = (
    "{_target_: kaskad.data.Corpus, role: train_ext, split: train, language: en, "
    "manifest: {_target_: kaskad.corpora.read_table, _partial_: true, root: ROOT}}"
)


@pytest.fixture(scope="module")
def english_tones(tone_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The words of tones under other names, three quarters of the clips, at half the rate."""
    folder = tmp_path_factory.mktemp("english")
    names = {"один": "one", "два": "two", "три": "three", "пять": "five"}
    clips = pl.read_csv(tone_corpus / "manifest.csv").filter(pl.col("split") == "train")
    for clip in clips["path"].unique():
        waveform, _ = soundfile.read(tone_corpus / clip)
        soundfile.write(folder / clip, waveform[::2], 8_000)
    manifest = clips.with_columns(pl.col("text").replace(names)).head(48)
    manifest.write_csv(folder / "manifest.csv")
    return folder


def two_corpora(
    compose, folder: Path, corpus: Path, beside: Path, *overrides: str, sizes: Sequence[str] = SIZES
) -> DictConfig:
    return compose(
        "train",
        folder,
        "model=cascade_lstm",
        "data=table",
        f"data.root={corpus}",
        f"+data.corpora.beside={BESIDE.replace('ROOT', str(beside))}",
        *sizes,
        "datamodule.workers=0",
        "datamodule.batch_seconds=6",
        "trainer.precision=32-true",
        "trainer.max_epochs=2",
        *overrides,
    )


@pytest.fixture(scope="module", params=HEADS)
def run(request, compose, tone_corpus: Path, english_tones: Path, tmp_path_factory) -> Path:
    """The folder of a short run on two languages."""
    folder = tmp_path_factory.mktemp(f"run_{request.param}")
    overrides = [f"model.head={request.param}", "trainer.log_every_n_steps=1"]
    overrides.append("callbacks.checkpoint.save_top_k=-1")
    train(two_corpora(compose, folder, tone_corpus, english_tones, *overrides))
    return folder


def test_a_run_says_how_often_it_went_through_each_corpus(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    repeats = {
        name: [event.value for event in events.Scalars(f"training/repeats/{name}")]
        for name in ("train", "beside")
    }
    assert repeats["train"] == [1.0, 1.0]
    assert all(1.1 < times < 1.7 for times in repeats["beside"])
    for name in ("train", "beside"):
        first, second = (event.value for event in events.Scalars(f"training/loss/{name}"))
        assert second < first
    assert set(json.loads((run / "report.json").read_text())["corpora"]) == {"test"}


def test_a_run_says_which_language_uses_which_label(run: Path) -> None:
    used = pl.read_csv(run / "labels.csv")
    of_ru, of_en = (set(used.filter(pl.col(name) > 0)["label"]) for name in ("ru", "en"))
    assert of_ru == set("одиндватрипять") and of_en == set("onetwothreefive")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_notebook_compares_the_subnets(run: Path, monkeypatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.setenv("KASKAD_RUN", str(run))
    found = runpy.run_path(str(NOTEBOOK))["table"]
    assert {1, 2} <= set(found["epoch"])
    assert found["similarity"].is_between(0, 1).all()


def test_a_checkpoint_transcribes_and_evaluates_by_itself(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    source = [f"checkpoint={run}"]
    output = tmp_path / "out.csv"
    table = [f"input={tone_corpus / 'manifest.csv'}", f"output={output}"]
    transcribe(compose("transcribe", tmp_path, *source, *table))
    assert pl.read_csv(output)["error"].null_count() == 80
    data = ["data=table", f"data.root={tone_corpus}", "datamodule.workers=0"]
    assert "test/wer" in evaluate(compose("evaluate", tmp_path, *source, *data))
    with pytest.raises(ValueError, match="no branch for 'de'"):
        evaluate(compose("evaluate", tmp_path, *source, *data, "data.language=de"))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_stripped_to_one_language_it_is_smaller_and_gives_the_same(
    run: Path, compose, tone_corpus: Path, tmp_path: Path, language: str
) -> None:
    stripped = tmp_path / f"{language}.ckpt"
    overrides = [f"language={language}", f"checkpoint={run}", f"output={stripped}"]
    extract_language(compose("extract_language", tmp_path, *overrides))
    whole, part = load_recogniser(run)[0], load_recogniser(stripped)[0]
    waveform, _ = soundfile.read(tone_corpus / "0.wav", dtype="float32")
    clip = torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
    with torch.no_grad():
        expected, found = whole(*clip, language)[0], part(*clip)[0]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert stripped.stat().st_size < (run / "checkpoints" / "best.ckpt").stat().st_size / 2
    weights = [sum(w.numel() for w in model.parameters()) for model in (part, whole)]
    assert weights[0] < 0.7 * weights[1]
    (trained,) = (
        corpus["language"]
        for corpus in load_recogniser(stripped)[1]["data"]["corpora"].values()
        if corpus["role"] == "train"
    )
    assert trained == language


def test_only_a_branch_of_a_cascade_can_be_stripped_to(run: Path, compose, tmp_path) -> None:
    overrides = ["language=de", f"checkpoint={run}", f"output={tmp_path / 'out.ckpt'}"]
    with pytest.raises(CheckpointError, match="no branch for 'de', only for ru, en"):
        extract_language(compose("extract_language", tmp_path, *overrides))


def test_one_language_may_have_two_branches(
    compose, tone_corpus: Path, english_tones: Path, tmp_path: Path
) -> None:
    twice = ["data.corpora.beside.language=ru", "+data.corpora.beside.branch=far"]
    quick = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    config = two_corpora(compose, tmp_path, tone_corpus, english_tones, *twice, *quick)
    assert train(config)["test/wer"] >= 0
    assert load_recogniser(tmp_path)[0].encoder.branches == ["ru", "far"]


def test_three_languages_may_train_and_one_be_validated(
    compose, tone_corpus: Path, english_tones: Path, tmp_path: Path
) -> None:
    third = BESIDE.replace("ROOT", str(english_tones)).replace("language: en", "language: uk")
    overrides = [f"+data.corpora.third={third}", "datamodule.interleave=proportional"]
    quick = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    config = two_corpora(compose, tmp_path, tone_corpus, english_tones, *overrides, *quick)
    assert train(config)["test/wer"] >= 0
    assert load_recogniser(tmp_path)[0].encoder.branches == ["ru", "en", "uk"]


def test_a_trained_cascade_learns_an_unseen_language_from_one_corpus(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    overrides = ["~data.corpora.beside", "data.language=de", f"init_from={run}"]
    overrides += ["callbacks=freezing", "callbacks.freezing.modules=[encoder.shared]"]
    quick = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    assert train(two_corpora(compose, tmp_path, tone_corpus, run, *overrides, *quick))
    before, after = (load_recogniser(path)[0].encoder for path in (run, tmp_path))
    assert (before.branches, after.branches) == (["ru", "en"], ["de"])
    shared = before.shared.state_dict()
    assert all(torch.equal(w, shared[name]) for name, w in after.shared.state_dict().items())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("datamodule.release_after=0", "release_after is 0 epochs; it is 1 or more"),
        ("model.encoder.tied=[[ru,eng]]", "no branch is called 'eng'; did you mean en"),
        ("~data.corpora.beside", r"two languages at least, .* train \(ru\); add .* 'train_ext'"),
        ("data.corpora.beside.language=ru", r"train \(ru\), beside \(ru\); add .* branch=…"),
        ("data.corpora.test.language=uk", "corpus 'test': no corpus trains the branch 'uk'"),
    ],
)
def test_what_a_cascade_lacks_is_reported_before_anything_is_read(
    compose, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises((ValueError, InstantiationException), match=message):
        train(two_corpora(compose, tmp_path, tmp_path, tmp_path, override))


def test_a_flat_model_has_nobody_to_join(compose, tmp_path: Path) -> None:
    settings = ["model=lstm", "datamodule.join_after=2"]
    with pytest.raises(DataError, match="join_after and release_after are for a cascade"):
        train(compose("train", tmp_path, *settings, "data=table", f"data.root={tmp_path}"))


def test_a_flat_model_says_that_it_does_not_use_the_other_corpus(
    compose, tone_corpus: Path, tmp_path: Path, caplog
) -> None:
    caplog.set_level(logging.WARNING)
    quick = ["model=lstm", "trainer.max_epochs=1", "trainer.limit_train_batches=1"]
    nowhere, small = tmp_path / "nowhere", ["model.encoder.hidden_size=8", "augment=none"]
    train(two_corpora(compose, tmp_path, tone_corpus, nowhere, *quick, sizes=small))
    assert "beside: not used, because a CTCRecogniser trains on one corpus alone" in caplog.text


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(
    compose, tone_corpus: Path, english_tones: Path, tmp_path: Path
) -> None:
    def weights(name: str, workers: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / name
        folder.mkdir()
        overrides = [
            f"datamodule.workers={workers}",
            "datamodule.interleave=shortest",
            "augment=full",
        ]
        train(two_corpora(compose, folder, tone_corpus, english_tones, *overrides))
        return load_recogniser(folder / "checkpoints" / "last.ckpt")[0].state_dict()

    one, two = weights("one", 0), weights("two", 1)
    assert all(torch.equal(one[name], two[name]) for name in one)
