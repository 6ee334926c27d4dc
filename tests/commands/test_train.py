"""One run from corpus to report, and what is done with its checkpoint afterwards."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from kaskad.commands.evaluate import evaluate
from kaskad.commands.train import train
from kaskad.commands.transcribe import UntranscribedError, transcribe
from kaskad.corpora.splits import PARTS
from kaskad.data.checks import DataError
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError

SMALL = [
    "data=table",
    "data.language=ru",
    "augment=none",
    "trainer.precision=32-true",
    "trainer.num_sanity_val_steps=0",
    "datamodule.workers=0",
    "model.encoder.hidden_size=64",
    "model.encoder.layers=1",
    "model.encoder.channels=[8,8]",
    "model.encoder.dropout=0.0",
]
BY_HEART = ["trainer.max_epochs=15", "datamodule.batch_seconds=4", "optimizer.lr=0.01"]


@pytest.fixture(scope="module")
def run(compose, tone_corpus, tmp_path_factory) -> Path:
    """The folder of a run that overfits a handful of clips."""
    folder = tmp_path_factory.mktemp("run")
    train(compose("train", folder, *SMALL, *BY_HEART, f"data.root={tone_corpus}"))
    return folder


def test_a_net_learns_a_handful_of_clips_by_heart(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["corpora"]["test"]["figures"]["wer"] == 0.0
    assert report["corpora"]["test"]["figures"]["number_accuracy"] == 1.0
    assert report["training"]["best"] == {"validation/wer": 0.0}


def test_the_run_folder_holds_what_repeats_and_explains_the_run(run: Path) -> None:
    config = OmegaConf.load(run / "config.yaml")
    assert config.tokenizer.alphabet == config.model.tokenizer.alphabet
    assert set(config.tokenizer.alphabet) == set("одиндватрипять")
    environment = json.loads((run / "environment.json").read_text())
    assert environment["seed"] == 0
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "один" in (run / "report.html").read_text()
    assert list((run / "tensorboard").glob("events*"))
    hypotheses = pl.read_csv(run / "hypotheses.csv")
    assert hypotheses["reference"].to_list() == hypotheses["hypothesis"].to_list()
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_checkpoint_is_evaluated_on_another_corpus(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    manifest = pl.read_csv(tone_corpus / "manifest.csv")
    renamed = manifest.with_columns(pl.col("text").str.replace("два", "двѣ"))
    renamed.write_csv(tone_corpus / "other.csv")
    overrides = [f"checkpoint={run}", "data=table", f"data.root={tone_corpus / 'other.csv'}"]
    figures = evaluate(compose("evaluate", tmp_path, *overrides, "datamodule.workers=0"))
    assert 0 < figures["test/wer"] < 0.5
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["unknown_characters"]["test"]["ѣ"] > 0


def test_transcribing_keeps_rows_and_columns_and_names_what_failed(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    broken = tone_corpus / "broken.wav"
    broken.write_text("this is no audio")
    manifest = pl.read_csv(tone_corpus / "manifest.csv").select("path", wanted="text")
    rows = pl.concat([manifest.head(2), pl.DataFrame({"path": ["broken.wav"], "wanted": ["-"]})])
    rows = pl.concat([rows, manifest.tail(1)]).with_columns(shelf=pl.Series(list("abcd")))
    rows.write_csv(tone_corpus / "in.csv")
    output = tmp_path / "out" / "out.csv"
    overrides = [f"checkpoint={run}", f"input={tone_corpus / 'in.csv'}", f"output={output}"]
    with pytest.raises(UntranscribedError, match=r"1 of 4 .*not an audio file"):
        transcribe(compose("transcribe", tmp_path, *overrides))
    written = pl.read_csv(output)
    assert written.select(rows.columns).equals(rows)
    readable = written.filter(pl.col("error").is_null())
    assert readable["text"].to_list() == readable["wanted"].to_list()
    assert readable["number"].null_count() == 0
    assert "not an audio file" in written["error"][2]


def test_a_folder_of_audio_is_transcribed(
    run: Path, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    (folder / "a.wav").write_bytes((tone_corpus / "0.wav").read_bytes())
    output = tmp_path / "out.jsonl"
    overrides = [f"checkpoint={run}", f"input={folder}", f"output={output}"]
    assert transcribe(compose("transcribe", tmp_path, *overrides)) == {"transcribed": 1}
    expected = pl.read_csv(tone_corpus / "manifest.csv")["text"][0]
    assert pl.read_ndjson(output)["text"].to_list() == [expected]


@pytest.fixture
def damaged_corpus(tone_corpus: Path, tmp_path: Path) -> Path:
    """The tones, and in each part one file whose header is sound and whose samples are not."""
    folder = tmp_path / "damaged"
    shutil.copytree(tone_corpus, folder)
    waveform = np.zeros(16_000, dtype=np.float32)
    waveform[8_000] = np.nan
    soundfile.write(folder / "nan.wav", waveform, 16_000, subtype="FLOAT")
    with (folder / "manifest.csv").open("a") as manifest:
        manifest.writelines(f"nan-{part},nan.wav,три,{part}\n" for part in PARTS)
    return folder


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_files_are_skipped_counted_and_named(
    workers: int, compose, damaged_corpus: Path, tmp_path: Path
) -> None:
    overrides = [*SMALL, f"data.root={damaged_corpus}", f"datamodule.workers={workers}"]
    train(compose("train", tmp_path, *overrides, "trainer.max_epochs=2"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert {row["corpus"]: row["id"] for row in report["skipped"]} == {
        part: f"nan-{part}" for part in PARTS
    }
    assert all(
        "nan.wav: holds samples that are not finite" in r["reason"] for r in report["skipped"]
    )
    assert report["corpora"]["test"]["skipped"] == 1
    assert report["corpora"]["test"]["utterances"] == 8
    assert pl.read_csv(tmp_path / "skipped.csv").to_dicts() == report["skipped"]


def test_a_run_that_can_read_too_little_stops_after_its_first_epoch(
    compose, damaged_corpus: Path, tmp_path: Path
) -> None:
    overrides = [*SMALL, f"data.root={damaged_corpus}", "datamodule.max_skipped=0.1"]
    with pytest.raises(
        DataError, match=r"'validation': 1 of 9 .*nan\.wav.*datamodule\.max_skipped"
    ):
        train(compose("train", tmp_path, *overrides))
    assert {*pl.read_csv(tmp_path / "skipped.csv")["id"]} == {"nan-train", "nan-validation"}


def test_a_run_that_ends_before_its_first_validation_is_validated_then(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    overrides = [f"data.root={tone_corpus}", "trainer.max_epochs=1", "datamodule.batch_seconds=4"]
    overrides += ["trainer.limit_train_batches=1", "trainer.check_val_every_n_epoch=2"]
    figures = train(compose("train", tmp_path, *SMALL, *overrides))
    assert figures["validation/wer"] > 0.0


def test_a_run_that_is_refused_names_all_that_it_could_not_use(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="corpus 'train': 64 of 64 utterances cannot be used"):
        short = [f"data.root={tone_corpus}", "datamodule.max_seconds=0.1"]
        train(compose("train", tmp_path, *SMALL, *short))
    assert pl.read_csv(tmp_path / "skipped.csv").height == 64


def test_a_corpus_that_cannot_be_read_at_all_has_no_figures(
    run: Path, compose, damaged_corpus: Path, tmp_path: Path
) -> None:
    manifest = pl.read_csv(damaged_corpus / "manifest.csv")
    manifest.filter(pl.col("id") == "nan-test").write_csv(damaged_corpus / "manifest.csv")
    overrides = [f"checkpoint={run}", "data=table", f"data.root={damaged_corpus}"]
    with pytest.raises(DataError, match="'test': none of its utterances could be read"):
        evaluate(compose("evaluate", tmp_path, *overrides, "datamodule.workers=0"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["corpora"]["test"]["figures"] == {}


def test_a_run_does_not_start_on_a_full_disk(compose, tone_corpus: Path, tmp_path: Path) -> None:
    config = compose("train", tmp_path, *SMALL, f"data.root={tone_corpus}", "disk_reserve=1e9")
    with pytest.raises(OSError, match=r"GB are free on this disk.*disk_reserve"):
        train(config)


class Malicious:
    """Unpickling it would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_is_never_executed(run: Path, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    torch.save({"config": Malicious(str(trap)), "state_dict": {}}, tmp_path / "pickle.ckpt")
    with pytest.raises(CheckpointError, match="nothing of it was executed"):
        load_recogniser(tmp_path / "pickle.ckpt")
    honest = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    for target in (
        "os.system",
        "kaskad.audio.reading.os.system",
        "kaskad.commands.train.shutil.rmtree",
    ):
        honest["config"]["model"]["encoder"] = {"_target_": target, "_args_": [f"touch {trap}"]}
        torch.save(honest, tmp_path / "target.ckpt")
        with pytest.raises((CheckpointError, ValueError), match=target.rsplit(".", 1)[1]):
            load_recogniser(tmp_path / "target.ckpt")
    assert not trap.exists()


def test_a_torn_checkpoint_is_recognised(run: Path, tmp_path: Path) -> None:
    whole = (run / "checkpoints" / "best.ckpt").read_bytes()
    for what_is_left in (whole[: len(whole) // 2], b"torn", b""):
        (tmp_path / "broken.ckpt").write_bytes(what_is_left)
        with pytest.raises(CheckpointError, match="torn"):
            load_recogniser(tmp_path / "broken.ckpt")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(compose, tone_corpus: Path, tmp_path: Path) -> None:
    def weights(name: str, workers: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / name
        folder.mkdir()
        overrides = [
            *SMALL,
            "augment=full",
            f"data.root={tone_corpus}",
            f"datamodule.workers={workers}",
        ]
        train(compose("train", folder, *overrides, "trainer.max_epochs=2"))
        checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        return checkpoint["state_dict"]

    one, two = weights("one", workers=0), weights("two", workers=2)
    assert all(torch.equal(one[name], two[name]) for name in one)
