"""Transcripts are aligned with their recordings, and those that do not fit come first."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.align import align
from kaskad.corpora.manifest import read_manifest
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError

RATE = 16_000
PITCHES = {"а": 400.0, "б": 3000.0}


class Ear(torch.nn.Module):
    """Says of each frame which of the two tones sounds; between words, the blank."""

    dim, time_reduction = 3, 1

    def frame_count(self, frames):
        return frames

    def forward(self, features: torch.Tensor, lengths: torch.Tensor):
        low, high = features[:, :, :20].mean(2), features[:, :, -20:].mean(2)
        loud = (features.exp().mean(2) > 0.01).float()
        scores = torch.stack([1 - loud, loud * (low > high), loud * (high > low)], dim=2)
        return scores * 8, lengths


@pytest.fixture
def checkpoint(compose, tmp_path: Path) -> Path:
    """A recogniser of two words."""
    labels = ("tokenizer=words", "tokenizer.alphabet=['а','б']")
    config = compose(
        "train",
        tmp_path,
        "data=table",
        "data.root=.",
        "model=lstm",
        "features.normalise=none",
        *labels,
    )
    recogniser = instantiate(config.model)
    resolved = OmegaConf.to_container(config, resolve=True)
    resolved["data"]["corpora"] = {"clean": {"role": "train", "language": "ru"}}
    path = tmp_path / "best.ckpt"
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    return path


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch):
    """Give it an encoder that needs no training, and features that are not normalised."""

    def load(path, **options):
        recogniser, trained = load_recogniser(path, **options)
        recogniser.encoder = Ear()
        recogniser.head = torch.nn.Identity()
        return recogniser, trained

    monkeypatch.setattr("kaskad.commands.align.load_recogniser", load)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """0.wav: а from 0.5 to 0.8 s, б from 2 to 2.3 s; 1.wav is the same with a wrong transcript."""
    waveform = np.zeros(3 * RATE)
    for letter, start in (("а", 0.5), ("б", 2.0)):
        times = np.arange(round(0.3 * RATE)) / RATE
        begin = round(start * RATE)
        waveform[begin : begin + len(times)] = 0.5 * np.sin(2 * np.pi * PITCHES[letter] * times)
    for name in ("0.wav", "1.wav"):
        soundfile.write(tmp_path / name, waveform, RATE)
    texts = {"path": ["0.wav", "1.wav", "2.wav"], "text": ["А, б!", "б а", "а"]}
    pl.DataFrame({**texts, "speaker": ["s", "s", "t"]}).write_csv(tmp_path / "in.csv")
    return tmp_path / "in.csv"


def run(compose, checkpoint: Path, table: Path, tmp_path: Path, name: str, *more: str) -> dict:
    overrides = [f"checkpoint={checkpoint}", f"input={table}", f"output={tmp_path / name}", *more]
    return align(compose("align", tmp_path, *overrides))


def test_words_get_the_times_at_which_they_are_said(
    compose, checkpoint: Path, ear, table: Path, tmp_path: Path
) -> None:
    figures = run(compose, checkpoint, table, tmp_path, "out.json")
    assert (figures["aligned"], figures["not_aligned"], figures["suspicious"]) == (2, 1, 1)
    first, second, third = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [word["text"] for word in first["words"]] == ["а", "б"]
    for word, start in zip(first["words"], (0.5, 2.0), strict=True):
        assert word["start"] == pytest.approx(start, abs=0.05)
        assert word["end"] == pytest.approx(start + 0.3, abs=0.05)
        assert word["confidence"] > 0.9
    assert first["fit"] > 0.9 > 0.1 > second["fit"]
    assert "no such file" in third["problem"]


def test_the_worst_fitting_come_first(
    compose, checkpoint: Path, ear, table: Path, tmp_path: Path, capsys
) -> None:
    run(compose, checkpoint, table, tmp_path, "out.ctm")
    scores = pl.read_csv(tmp_path / "out.scores.csv")
    assert scores["id"].to_list() == ["2.wav", "1.wav", "0.wav"]
    printed = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 transcripts fit worse than 0.5, and 1 cannot be aligned" in printed
    ctm = (tmp_path / "out.ctm").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in ctm] == ["0", "0", "1", "1"]
    run(compose, checkpoint, table, tmp_path, "*.TextGrid")
    assert 'name = "labels"' in (tmp_path / "0.TextGrid").read_text(encoding="utf-8")


def test_segments_between_pauses_are_a_table_to_train_on(
    compose, checkpoint: Path, ear, table: Path, tmp_path: Path
) -> None:
    run(compose, checkpoint, table, tmp_path, "segments.csv", "pause=0.8")
    segments = read_manifest(tmp_path / "segments.csv").filter(pl.col("id").str.starts_with("0"))
    assert segments["text"].to_list() == ["а", "б"]
    assert segments["speaker"].to_list() == ["s", "s"]
    assert segments["start"].to_list() == pytest.approx([0.3, 1.8], abs=0.05)
    assert segments["path"][1].endswith(f"0.wav#t={segments['start'][1]},{segments['end'][1]}")


def test_words_are_cut_out_and_do_not_reach_into_each_other(
    compose, checkpoint: Path, ear, table: Path, tmp_path: Path
) -> None:
    run(compose, checkpoint, table, tmp_path, "words.csv", "pause=0", "words=['б']")
    words = read_manifest(tmp_path / "words.csv")
    assert set(words["text"]) == {"б"}
    run(compose, checkpoint, table, tmp_path, "all.csv", "pause=0")
    cut = pl.read_csv(tmp_path / "all.csv").filter(pl.col("id").str.starts_with("1"))
    assert (cut["start"][1:] >= cut["end"][:-1]).all()


def test_only_ctc_can_align(compose, table: Path, tmp_path: Path) -> None:
    config = compose(
        "train",
        tmp_path,
        "data=table",
        "data.root=.",
        "model=seq2seq_gru",
        "tokenizer.alphabet=['а']",
    )
    recogniser = instantiate(config.model)
    resolved = OmegaConf.to_container(config, resolve=True)
    path = tmp_path / "best.ckpt"
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    with pytest.raises(CheckpointError, match="only a recogniser with CTC can align"):
        run(compose, path, table, tmp_path, "out.ctm")
    with pytest.raises(ValueError, match=r"alignments are written as .*\.ctm"):
        run(compose, path, table, tmp_path, "out.doc")
