"""Recordings become a table of texts, and no table is lost over it."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.transcribe import UntranscribedError, transcribe
from kaskad.config.messages import ConfigurationError
from kaskad.corpora.text_files import ManifestError
from kaskad.runs.checkpoints import CheckpointError

NAME = "a [bold]name[/bold] " + "that is long " * 9 + ".wav"


@pytest.fixture
def checkpoint(compose, tmp_path: Path) -> Path:
    """A recogniser that outputs "5" for everything, made for the Russian of its corpus "clean"."""
    config = compose(
        "train", tmp_path, "data=table", "data.root=.", "model=lstm", "tokenizer.alphabet=['5']"
    )
    recogniser = instantiate(config.model)
    recogniser.head.bias.data = torch.tensor([-100.0, 100.0])
    resolved = OmegaConf.to_container(config, resolve=True)
    resolved["data"]["corpora"] = {
        "train": {"role": "train_ext", "language": "tlh"},
        "clean": {"role": "train", "language": "ru"},
    }
    path = tmp_path / "best.ckpt"
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    return path


@pytest.fixture
def gender_checkpoint(compose, tmp_path: Path) -> Path:
    """A recogniser that finds a woman everywhere."""
    config = compose(
        "train",
        tmp_path,
        "data=table",
        "data.root=.",
        "model=gender_cnn",
        "tokenizer.alphabet=[female,male]",
    )
    recogniser = instantiate(config.model)
    recogniser.head.bias.data = torch.tensor([100.0, -100.0])
    path = tmp_path / "gender.ckpt"
    resolved = OmegaConf.to_container(config, resolve=True)
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    return path


def test_numbers_are_in_the_language_that_the_run_was_for(
    compose, checkpoint: Path, make_corpus, tmp_path: Path
) -> None:
    table = make_corpus(["пять"])
    overrides = [f"checkpoint={checkpoint}", f"input={table}", f"output={tmp_path / 'out.csv'}"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    assert pl.read_csv(tmp_path / "out.csv")["number"].to_list() == [5]


def test_a_corrector_mends_a_text_and_keeps_the_hypothesis(
    compose, checkpoint: Path, make_corpus, corrector_of, tmp_path: Path
) -> None:
    asked = [f"checkpoint={checkpoint}", f"input={make_corpus(['шесть'])}"]
    asked.append(f"corrector={corrector_of('5', '6', 'ru')}")
    transcribe(compose("transcribe", tmp_path, *asked, f"output={tmp_path / 'out.csv'}"))
    written = pl.read_csv(tmp_path / "out.csv", infer_schema=False)
    assert written.select("uncorrected", "text", "number").rows() == [("5", "6", "6")]
    transcribe(compose("transcribe", tmp_path, *asked, f"output={tmp_path / 'out.json'}"))
    (recording,) = json.loads((tmp_path / "out.json").read_text("utf-8"))
    (segment,) = recording["segments"]
    assert segment["uncorrected"] == "5" and segment["words"][0]["text"] == "6"
    assert segment["words"][0]["end"] > segment["words"][0]["start"]
    with pytest.raises(CheckpointError, match="corrector of the language en"):
        other = f"corrector={corrector_of('5', '6', 'en')}"
        transcribe(compose("transcribe", tmp_path, *asked[:2], other))
    with pytest.raises(ConfigurationError, match="a corrector reads whole utterances"):
        transcribe(compose("transcribe", tmp_path, *asked, "source=live"))


def test_a_table_may_be_transcribed_into_itself(
    compose, checkpoint: Path, write_tone, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"audio_filepath,shelf\n{write_tone('1.wav').name},a\n")
    overrides = [f"checkpoint={checkpoint}", f"input={table}", f"output={table}"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    assert pl.read_csv(table)["audio_filepath", "shelf", "text", "number"].rows() == [
        ("1.wav", "a", 5, 5)
    ]


def test_segments_are_transcribed_each_and_references_kept(
    compose, checkpoint: Path, write_tone, tmp_path: Path
) -> None:
    write_tone("call.wav", seconds=4.0, channels=2)
    row = '{"audio_filepath": "call.wav", "text": "%s", "offset": %s, "duration": %s}\n'
    table = tmp_path / "segments.jsonl"
    table.write_text(row % ("раз", 0, 1.5) + row % ("два", 1.5, 9) + row % ("три", 3, 1))
    output = tmp_path / "out.csv"
    overrides = [f"checkpoint={checkpoint}", f"input={table}", f"output={output}"]
    with pytest.raises(UntranscribedError, match=r"1 of 3 .* ends at 10\.5 s, and its recording"):
        transcribe(compose("transcribe", tmp_path, *overrides))
    written = pl.read_csv(output, infer_schema=False)
    assert written["reference"].to_list() == ["раз", "два", "три"]
    assert written["text"].to_list() == ["5", None, "5"]


def test_a_recording_without_an_answer_has_an_error_and_no_text(
    compose, checkpoint: Path, make_corpus, tmp_path: Path
) -> None:
    broken = torch.load(checkpoint, weights_only=True)
    broken["state_dict"]["head.bias"].fill_(torch.nan)
    torch.save(broken, checkpoint)
    overrides = [f"checkpoint={checkpoint}", f"input={make_corpus(['пять'])}"]
    output = tmp_path / "out.csv"
    with pytest.raises(UntranscribedError, match=r"1 of 1 .*posteriors are not numbers"):
        transcribe(compose("transcribe", tmp_path, *overrides, f"output={output}"))
    assert pl.read_csv(output)["text"].to_list() == [None]


def test_a_second_checkpoint_fills_in_the_gender(
    compose, checkpoint: Path, gender_checkpoint: Path, make_corpus, tmp_path: Path
) -> None:
    table, output = make_corpus(["пять", "шесть"]), tmp_path / "out.csv"
    (tmp_path / "1.wav").write_text("this is no audio")
    overrides = [f"checkpoint={checkpoint}", f"gender_checkpoint={gender_checkpoint}"]
    with pytest.raises(UntranscribedError, match="1 of 2"):
        transcribe(
            compose("transcribe", tmp_path, *overrides, f"input={table}", f"output={output}")
        )
    assert pl.read_csv(output).select("text", "gender").rows() == [(5, "female"), (None, None)]


@pytest.mark.parametrize(
    ("checkpoint_of", "message"),
    [
        (["gender.ckpt", "gender.ckpt"], "checkpoint=.*gender.ckpt recognises gender, not text"),
        (["best.ckpt", "best.ckpt"], "gender_checkpoint=.*best.ckpt recognises text, not gender"),
    ],
)
def test_checkpoints_in_each_others_place_are_refused(
    compose, checkpoint, gender_checkpoint, make_corpus, tmp_path: Path, checkpoint_of, message
) -> None:
    names = zip(("checkpoint", "gender_checkpoint"), checkpoint_of, strict=True)
    overrides = [f"{option}={tmp_path / name}" for option, name in names]
    with pytest.raises(CheckpointError, match=message):
        transcribe(compose("transcribe", tmp_path, *overrides, f"input={make_corpus(['пять'])}"))


@pytest.mark.parametrize(
    ("name", "output", "error", "message"),
    [
        ("missing.ckpt", "manifest.csv", CheckpointError, "no such checkpoint"),
        ("best.ckpt", "out.xlsx", ManifestError, "unknown kind of output '.xlsx'"),
        ("best.ckpt", "manifest.csv/out.csv", ManifestError, "cannot be written"),
    ],
)
def test_what_cannot_be_done_fails_before_a_table_is_touched(
    compose, checkpoint: Path, make_corpus, tmp_path: Path, name, output, error, message
) -> None:
    table = make_corpus(["пять"])
    before = table.read_bytes()
    overrides = [f"checkpoint={tmp_path / name}", f"input={table}", f"output={tmp_path / output}"]
    config = compose("transcribe", tmp_path, *overrides)
    (tmp_path / "0.wav").unlink()  # whoever came as far as to listen would miss it
    with pytest.raises(error, match=message):
        transcribe(config)
    assert table.read_bytes() == before


def test_texts_are_printed_a_line_each_as_they_are(
    compose, checkpoint: Path, write_tone, tmp_path: Path, capsys
) -> None:
    write_tone(f"audio/{NAME}")
    overrides = [f"checkpoint={checkpoint}", f"input={tmp_path / 'audio'}"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    assert f"{NAME}: 5" in capsys.readouterr().out.splitlines()


def test_what_stood_in_the_column_text_is_kept_as_reference(
    compose, checkpoint: Path, make_corpus, tmp_path: Path
) -> None:
    table = make_corpus(["шесть"], shelf=["a"])
    overrides = [f"checkpoint={checkpoint}", f"input={table}", f"output={tmp_path / 'out.parquet'}"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written.select("reference", "shelf", "text").rows() == [("шесть", "a", "5")]
    [word] = written["words"][0]
    assert (word["text"], round(word["confidence"], 3)) == ("5", 1.0)


def test_a_long_recording_is_cut_at_its_pauses(compose, checkpoint: Path, tmp_path: Path) -> None:
    spoken = np.random.default_rng(0).normal(scale=0.1, size=16_000)
    pause = np.zeros(16_000)
    parts = [pause, spoken, pause, spoken, pause]
    soundfile.write(tmp_path / "call.flac", np.concatenate(parts), 16_000)
    overrides = [
        f"checkpoint={checkpoint}",
        f"input={tmp_path / 'call.flac'}",
        f"output={tmp_path / 'out.json'}",
        "longest_segment=3.0",
        "voice_activity=energy",
    ]
    transcribe(compose("transcribe", tmp_path, *overrides))
    [recording] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (recording["text"], recording["duration"]) == ("5 5", 5.0)
    for segment, start in zip(recording["segments"], (1.0, 3.0), strict=True):
        assert segment["start"] == pytest.approx(start - 0.2, abs=0.1)
        assert segment["end"] == pytest.approx(start + 1.2, abs=0.1)
        assert segment["start"] <= segment["words"][0]["start"] <= segment["end"]


def test_the_sides_of_a_call_are_transcribed_apart(
    compose, checkpoint: Path, tmp_path: Path
) -> None:
    spoken = np.random.default_rng(0).normal(scale=0.1, size=16_000)
    sides = np.zeros((2, 64_000))
    sides[0, 8_000:24_000] = sides[1, 32_000:48_000] = spoken
    soundfile.write(tmp_path / "call.wav", sides.T, 16_000)
    overrides = [f"checkpoint={checkpoint}", f"input={tmp_path / 'call.wav'}", "channel=each"]
    for name in ("out.csv", "out.srt"):
        output = f"output={tmp_path / name}"
        transcribe(compose("transcribe", tmp_path, *overrides, output, "voice_activity=energy"))
    table = pl.read_csv(tmp_path / "out.csv")
    assert table.select("path", "channel", "text").rows() == [
        ("call.wav", 0, 5),
        ("call.wav", 1, 5),
    ]
    assert "[1] 5\n\n2\n00:00:0" in (tmp_path / "out.srt").read_text(encoding="utf-8")


def test_several_inputs_and_standard_input(
    compose, checkpoint: Path, write_tone, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write_tone("1.wav"), write_tone("2.ogg")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(second.read_bytes())))
    overrides = [f"checkpoint={checkpoint}", f"input=[{first},{second},-]"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["1.wav: 5", "2.ogg: 5", "standard input: 5"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("language=rus", "language=rus: .* it is one of ru, en"),
        ("language=RU", "language=RU: .* it is one of ru, en"),
        ("channel=left", "channel=left: it is each, a number"),
        ("pause=0", "recordings are cut at pauses of more than 0 seconds"),
        ("voice_activity=sillero", "voice_activity=sillero: it is one of"),
        ("output=out.doc", r"unknown kind of output '\.doc'; known: .*\.csv.*\.srt"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    compose, checkpoint: Path, write_tone, tmp_path: Path, option: str, message: str
) -> None:
    overrides = [f"checkpoint={checkpoint}", f"input={write_tone('1.wav')}", option]
    with pytest.raises(ValueError, match=message):
        transcribe(compose("transcribe", tmp_path, *overrides))
