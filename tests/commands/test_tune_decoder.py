"""The best options are found on posteriors that are made once, and go into a checkpoint."""

from pathlib import Path

import polars as pl
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.tune_decoder import tune_decoder
from kaskad.config.messages import ConfigurationError
from kaskad.data.corpus import Corpus
from kaskad.models.recogniser import load_recogniser

ONLY_PENALTY = ["~space.alpha", "~space.beta", "~space.beam_width"]


@pytest.fixture
def checkpoint(compose, tmp_path: Path) -> Path:
    """A recogniser with a blank in every frame, and "а" a little less likely."""
    config = compose(
        "train", tmp_path, "data=table", "data.root=.", "model=lstm", "tokenizer.alphabet=['а','б']"
    )
    recogniser = instantiate(config.model)
    recogniser.head.weight.data.zero_()
    recogniser.head.bias.data = torch.tensor([0.5, 0.4, 0.1]).log()
    path = tmp_path / "best.ckpt"
    resolved = OmegaConf.to_container(config, resolve=True)
    torch.save({"config": resolved, "state_dict": recogniser.state_dict()}, path)
    return path


@pytest.fixture
def overrides(checkpoint: Path, make_corpus, tmp_path: Path) -> list[str]:
    texts = ["а"] * 6
    make_corpus(texts, split=["train"] * 2 + ["validation"] * 3 + ["test"])
    return [
        f"checkpoint={checkpoint}",
        "data=table",
        f"data.root={tmp_path}",
        "datamodule.workers=0",
        "datamodule.cache=null",
    ]


def test_the_best_options_go_into_a_checkpoint_and_the_test_is_not_looked_at(
    compose, overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    load = Corpus.load
    monkeypatch.setattr(Corpus, "load", lambda corpus: read.append(corpus.role) or load(corpus))
    choice = ["decoder=greedy", "space.blank_penalty=[0.5,1.0,2.0,9.0]", "trials=null"]
    figures = tune_decoder(compose("tune_decoder", tmp_path, *overrides, *ONLY_PENALTY, *choice))
    assert figures["validation/wer"] == 0.0
    assert read == ["validation"]
    trials = pl.read_csv(tmp_path / "trials.csv")
    assert trials["blank_penalty"].to_list() == [0.5, 1.0, 2.0, 9.0]
    assert trials["wer"].to_list() == [1.0, 1.0, 0.0, 0.0]
    _, tuned = load_recogniser(tmp_path / "tuned.ckpt")
    assert tuned["model"]["decoder"]["blank_penalty"] in (2.0, 9.0)
    assert OmegaConf.load(tmp_path / "decoder" / "tuned.yaml") == tuned["decoder"]


def test_the_weight_of_a_second_language_model_is_tuned(
    compose, overrides: list[str], tmp_path: Path
) -> None:
    model = compose("train", tmp_path, "model=lstm_lm", "tokenizer.alphabet=['а','б']")
    net = instantiate(model.model)
    run = tmp_path / "language model" / "checkpoints"
    run.mkdir(parents=True)
    resolved = OmegaConf.to_container(model, resolve=True)
    torch.save({"config": resolved, "state_dict": net.state_dict()}, run / "best.ckpt")
    choice = ["decoder.n_best=3", f"decoder.rescore='{run.parent}'", "space.blank_penalty=[2.0]"]
    choice.append("+space.rescore_weight=[0.0,0.5]")
    tune_decoder(compose("tune_decoder", tmp_path, *overrides, *ONLY_PENALTY, *choice))
    assert pl.read_csv(tmp_path / "trials.csv")["rescore_weight"].to_list() == [0.0, 0.5]
    tuned = OmegaConf.load(tmp_path / "decoder" / "tuned.yaml")
    assert tuned.rescore == str(run / "best.ckpt")


def test_priors_are_counted_over_the_training_corpus(
    compose, overrides: list[str], tmp_path: Path
) -> None:
    choice = ["decoder=greedy", "count_priors=true", "+space.prior_scale=[0.0,1.0]"]
    choice += ["space.blank_penalty=[1.0]"]
    figures = tune_decoder(compose("tune_decoder", tmp_path, *overrides, *ONLY_PENALTY, *choice))
    # Aligned, each utterance has one frame of "а", and blank in all the others.
    priors = OmegaConf.load(tmp_path / "priors.json")
    assert priors[""] == 1_000_000
    assert 0 < priors["а"] < 100_000
    assert priors["б"] == 0
    assert figures["validation/wer"] == pytest.approx(1.0)  # "б" was never seen: now it is output
    assert pl.read_csv(tmp_path / "trials.csv").height == 2


def test_posteriors_are_taken_up_again_for_the_same_checkpoint_alone(
    compose, overrides: list[str], checkpoint: Path, tmp_path: Path
) -> None:
    choice = ["decoder=greedy", "space.blank_penalty=[2.0]", *ONLY_PENALTY]
    tune_decoder(compose("tune_decoder", tmp_path, *overrides, *choice))
    again = tmp_path / "again"
    again.mkdir()
    choice.append(f"posteriors={tmp_path / 'posteriors.npz'}")
    for wave in tmp_path.glob("*.wav"):
        wave.unlink()  # whoever listened again would miss it
    assert (
        tune_decoder(compose("tune_decoder", again, *overrides, *choice))["validation/wer"] == 0.0
    )
    checkpoint.touch()
    with pytest.raises(ValueError, match="these are the posteriors of"):
        tune_decoder(compose("tune_decoder", again, *overrides, *choice))


def test_an_option_that_the_decoder_has_not_is_refused(
    compose, overrides: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"space.alpha: .*GreedyDecoder has no such option"):
        tune_decoder(compose("tune_decoder", tmp_path, *overrides, "decoder=greedy"))


def test_a_figure_that_does_not_exist_is_refused_at_the_first_trial(
    compose, overrides: list[str], tmp_path: Path
) -> None:
    choice = ["decoder=greedy", "space.blank_penalty=[2.0,3.0]", "metric=were", *ONLY_PENALTY]
    with pytest.raises(ConfigurationError, match=r"metric=were: .*did you mean wer"):
        tune_decoder(compose("tune_decoder", tmp_path, *overrides, *choice))
    assert not (tmp_path / "trials.csv").exists()
