"""One label a recording: trained, reported and transcribed by the walk that everything takes."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch

from kaskad.audio.words import WordLogMel, around_loudest
from kaskad.commands.train import train
from kaskad.data.checks import DataError
from kaskad.models.encoders.word_cnn import WordCNN
from kaskad.models.recogniser import load_recogniser

SMALL = [
    "model=word_classifier",
    "data=table",
    "trainer.precision=32-true",
    "trainer.num_sanity_val_steps=0",
    "trainer.max_epochs=6",
    "datamodule.workers=0",
    "datamodule.batch_seconds=8",
]


@pytest.fixture(scope="module")
def run(compose, tone_corpus: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(compose("train", folder, *SMALL, f"data.root={tone_corpus}", "augment=none"))
    return folder


def test_words_are_distinguished_and_reported(run: Path) -> None:
    test = json.loads((run / "report.json").read_text())["corpora"]["test"]
    assert test["figures"]["sentence_accuracy"] == 1.0
    table = pl.read_csv(run / "hypotheses.csv")
    assert (table["hypothesis"] == table["reference"]).all()


def test_a_score_is_a_log_posterior_and_the_next_likeliest_are_listed(run: Path) -> None:
    recogniser, _ = load_recogniser(run)
    times = torch.arange(8_000) / 16_000
    tone = 0.3 * torch.sin(2 * torch.pi * 600 * times)
    quiet = torch.zeros(4_000)
    (found,) = recogniser.decode_waveforms([torch.cat([quiet, tone, quiet]).numpy()])
    posteriors = torch.tensor([found.score, *(each.score for each in found.alternatives)]).exp()
    assert found.text == "два"
    assert len(found.alternatives) == 2
    assert posteriors[0] > 0.5
    assert posteriors.sum() <= 1.0 + 1e-5
    assert posteriors.diff().le(0).all()


def test_the_silence_around_a_word_does_not_reach_the_net() -> None:
    features = WordLogMel(bins=16, low=80.0).eval()
    torch.manual_seed(0)
    word = 0.2 * torch.randn(1, 6_000) * torch.hann_window(6_000)
    background = 1e-4 * torch.randn(2, 1, 16_000)
    bare, (frames,) = features(word, torch.tensor([6_000]))
    among, _ = features(torch.cat([background[0], word, background[1]], 1), torch.tensor([38_000]))
    assert frames == 24
    torch.testing.assert_close(among, bare, rtol=0, atol=0.5)
    assert (among - bare).abs().mean() < 0.1


def test_a_click_far_from_the_word_is_no_part_of_it() -> None:
    loud = torch.tensor([[0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1]], dtype=torch.bool)
    loudness = torch.where(loud, 1.0, 0.0)
    loudness[0, 7] = 2.0
    kept = around_loudest(loud, loudness, gap=2)
    assert kept.int().tolist() == [[0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1]]
    assert around_loudest(loud, loudness, gap=4).equal(loud)


@pytest.mark.parametrize("samples", [1, 80, 100_000])
@pytest.mark.parametrize("training", [True, False])
def test_any_recording_becomes_a_word_of_the_same_length(samples: int, training: bool) -> None:
    features = WordLogMel(bins=16, low=80.0).train(training)
    for waveform in (torch.zeros(1, samples), torch.randn(1, samples)):
        out, lengths = features(waveform, torch.tensor([samples]))
        assert out.shape == (1, 24, 16)
        assert out.isfinite().all()
        assert lengths.tolist() == [24]


def test_words_of_another_length_say_which_features_to_choose() -> None:
    with pytest.raises(ValueError, match=r"features=words with features\.frames=24"):
        WordCNN(16)(torch.zeros(1, 32, 16), torch.tensor([30]))


def test_labels_that_are_no_whole_transcripts_are_refused(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    settings = [*SMALL, f"data.root={tone_corpus}", "tokenizer=characters"]
    with pytest.raises(DataError, match=r"each of them a whole transcript \(tokenizer=phrases\)"):
        train(compose("train", tmp_path, *settings))


def test_another_encoder_fits_as_well(compose, tone_corpus: Path, tmp_path: Path) -> None:
    encoder = "{_target_: kaskad.models.CNN1d, input_size: 80, channels: [8, 8]}"
    settings = ["features=log_mel", "augment=none", "trainer.max_epochs=1", "~model.encoder"]
    settings += [f"+model.encoder={encoder}", f"data.root={tone_corpus}"]
    figures = train(compose("train", tmp_path, *SMALL, *settings))
    assert "test/sentence_accuracy" in figures
