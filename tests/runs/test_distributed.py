"""Two processes train and decode as one would, utterance by utterance."""

import csv
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

Run = Callable[..., int]
SETTINGS = [
    "data=table",
    "overlap=none",
    "augment=none",
    "model=lstm",
    "model.encoder.hidden_size=16",
    "model.encoder.layers=1",
    "model.encoder.dropout=0",
    "logger=csv",
    "datamodule.workers=0",
    "datamodule.cache=null",
    # Some batches are of a single utterance: one of two processes has no share in them.
    "datamodule.batch_seconds=2",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=10",
    "trainer.precision=32-true",
    "trainer.log_every_n_steps=1",
    "trainer.enable_progress_bar=false",
    "trainer.enable_model_summary=false",
    "disk_reserve=0.1",
    "hydra.run.dir=run",
]


def logged(folder: Path) -> dict[tuple[str, str], float]:
    """Everything that was logged but times, by its name and step."""
    with (folder / "csv" / "metrics.csv").open() as file:
        return {
            (name, row["step"]): float(value)
            for row in csv.DictReader(file)
            for name, value in row.items()
            if value and not any(word in name for word in ("second", "time", "minutes", "memory"))
        }


def assert_same_run(one: Path, other: Path) -> None:
    """Same losses and figures, and the same hypothesis for each utterance of the test."""
    alone, together = logged(one), logged(other)
    assert alone.keys() == together.keys()
    assert ("training/loss_step", "0") in alone
    for figure, value in alone.items():
        # Sums in another order; and a gradient's norm is that of many such sums.
        precision = 1e-3 if "norm" in figure[0] else 1e-5
        assert together[figure] == pytest.approx(value, rel=precision, abs=1e-6), figure
    tables = [pl.read_csv(run / "hypotheses.csv").drop("score") for run in (one, other)]
    assert tables[0].equals(tables[1])


@pytest.mark.slow
def test_two_processes_learn_what_one_does(run: Run, tone_corpus: Path, tmp_path: Path) -> None:
    corpus = shutil.copytree(tone_corpus, tmp_path / "corpus")
    lines = (corpus / "manifest.csv").read_text().splitlines()
    for fault, samples in (("nan", np.full(16_000, np.nan)), ("short", np.zeros(1_600))):
        soundfile.write(corpus / f"{fault}.wav", samples, 16_000, subtype="FLOAT")
        lines.append(f"{fault},{fault}.wav,один,train,male")
    (corpus / "manifest.csv").write_text("\n".join(lines))
    settings = [*SETTINGS, f"data.root={corpus}"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(one, *settings) == 0, (one / "output.txt").read_text()
    assert run(two, *settings, "trainer=ddp_sim", processes=2) == 0, output(two)
    assert_same_run(one / "run", two / "run")
    ours, theirs = (pl.read_csv(folder / "run" / "skipped.csv") for folder in (one, two))
    assert theirs.equals(ours)
    assert "Traceback" not in output(two)


@pytest.mark.slow
def test_two_processes_go_on_with_two_corpora(run: Run, tone_corpus: Path, tmp_path: Path) -> None:
    other = "{_target_: kaskad.data.Corpus, role: train_ext, language: en, "
    other += "split: validation, manifest: '${data.source}'}"
    net = {"model=lstm": "model=cascade_lstm"} | {
        f"model.encoder.{option}": f"model.encoder.shared.{option}"
        for option in ("hidden_size=16", "layers=1", "dropout=0")
    }
    settings = [*(net.get(each, each) for each in SETTINGS), f"data.root={tone_corpus}"]
    settings += [f"+data.corpora.other={other}", "datamodule.interleave=proportional"]
    settings.append("callbacks.last_checkpoint.every_n_steps=3")
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(one, *settings) == 0, output(one)
    assert run(two, *settings, "trainer=ddp_sim", processes=2, step=8) == -signal.SIGKILL
    assert run(two, "resume=run", "hydra.run.dir=run", processes=2) == 0, output(two)
    assert_same_run(one / "run", two / "run")


def test_a_sweep_of_several_processes_is_refused(run: Run, tone_corpus: Path, tmp_path) -> None:
    settings = [*SETTINGS, "trainer=ddp_sim", f"data.root={tone_corpus}"]
    assert run(tmp_path, "-m", *settings) == 1
    assert "the jobs of a sweep have one process each" in output(tmp_path)


def output(directory: Path) -> str:
    return (directory / "output.txt").read_text()
