"""What every tokenizer of conf/tokenizer/ must keep to; a new one is tested here, too."""

import json
import pickle
from pathlib import Path

import polars as pl
import pytest
import pytorch_lightning as lightning
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader

from kaskad.commands.evaluate import evaluate
from kaskad.commands.train import train
from kaskad.decoding.greedy import GreedyDecoder
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import find_checkpoint
from kaskad.text.phonemes import phones_of, pronounce
from kaskad.text.tokenizer import BLANK, Tokenizer

FOLDER = Path(__file__).parents[2] / "conf" / "tokenizer"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
TEXTS = ["двадцать один", "ещё сто один", "семь"]


def make(name: str, **state) -> Tokenizer:
    return instantiate(OmegaConf.load(FOLDER / f"{name}.yaml"), **state)


@pytest.mark.parametrize("name", NAMES)
def test_labels_make_up_the_text(name: str) -> None:
    tokenizer = make(name)
    spelt = tokenizer.spell(TEXTS, "ru")
    tokenizer.fit(spelt)
    assert tokenizer.labels[BLANK] == "" and all(tokenizer.labels[1:])
    assert len(set(tokenizer.labels)) == tokenizer.size == tokenizer.summary()["labels"]
    for text in spelt:
        ids = tokenizer.encode(text)
        assert "".join(tokenizer.labels[index] for index in ids).strip() == text
        assert tokenizer.decode([BLANK, *ids, BLANK]) == text
        assert not tokenizer.unknown(text)


@pytest.mark.parametrize("name", NAMES)
def test_what_fitting_found_makes_the_same_tokenizer_again(name: str) -> None:
    fitted = make(name)
    spelt = fitted.spell(TEXTS, "ru")
    fitted.fit(iter(spelt))
    for copy in (make(name, **fitted.state()), pickle.loads(pickle.dumps(fitted))):
        assert copy.labels == fitted.labels
        assert copy.encode(spelt[0]) == fitted.encode(spelt[0])
        assert copy.fit(spelt[::-1]).labels == fitted.labels
        with pytest.raises(ValueError, match=r"already has .* Make a new tokenizer instead"):
            copy.fit(["abc"])


@pytest.mark.parametrize("name", NAMES)
def test_without_training_text_there_are_no_labels(name: str) -> None:
    with pytest.raises(ValueError, match="fit it on training text first"):
        make(name).encode("a")
    with pytest.raises(ValueError, match="training transcripts are all empty"):
        make(name).fit(["", ""])


ONE_STEP = [
    "data=table",
    "augment=none",
    "trainer.precision=32-true",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "model.encoder.hidden_size=32",
    "model.encoder.layers=1",
    "model.encoder.channels=[8,8]",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
    "trainer.log_every_n_steps=1",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_tokenizer_lives_in_its_checkpoint(
    name: str, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    overrides = [*ONE_STEP, f"data.root={tone_corpus}", f"tokenizer={name}"]
    train(compose("train", tmp_path, *overrides))
    recogniser, _ = load_recogniser(tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["tokenizer"] == recogniser.tokenizer.summary()
    spelt = recogniser.tokenizer.spell(["один", "пять"], "ru")
    assert [recogniser.tokenizer.decode(recogniser.tokenizer.encode(s)) for s in spelt] == spelt

    recogniser.tokenizer = make("words").fit(["раз"])
    trainer = lightning.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    size = report["tokenizer"]["labels"]
    with pytest.raises(
        ValueError, match=rf"tokenizer with {size} labels, .* has 2; they differ in"
    ):
        trainer.validate(
            recogniser, DataLoader([]), ckpt_path=find_checkpoint(tmp_path), weights_only=True
        )


def test_references_of_a_phoneme_model_are_pronounced(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    overrides = [*ONE_STEP, f"data.root={tone_corpus}", "tokenizer=phonemes"]
    figures = train(compose("train", tmp_path, *overrides))
    assert {"test/wer", "test/werc", "test/per", "test/perc"} <= figures.keys()
    assert "test/number_accuracy" not in figures
    written = pl.read_csv(tone_corpus / "manifest.csv").filter(split="test")["text"].to_list()
    references = pl.read_csv(tmp_path / "hypotheses.csv")["reference"].to_list()
    assert references == pronounce(written, "ru")


@pytest.mark.parametrize("name", NAMES)
def test_decoders_find_words_and_when_they_were_spoken(name: str) -> None:
    tokenizer = make(name)
    spelt = tokenizer.spell(TEXTS, "ru")
    tokenizer.fit(spelt)
    # Each label for two frames of a second, and two of the blank after it.
    frames = torch.tensor([[i, i, BLANK, BLANK] for i in tokenizer.encode(spelt[0])]).flatten()
    posteriors = one_hot(frames, tokenizer.size).float().mul(20).log_softmax(dim=1)
    (hypothesis,) = GreedyDecoder(tokenizer, 1.0)(posteriors[None], torch.tensor([len(frames)]))
    assert hypothesis.text == spelt[0]
    if name == "phrases":  # a label is a whole phrase
        assert [word.text for word in hypothesis.words] == [spelt[0]]
        return
    assert [word.text for word in hypothesis.words] == spelt[0].split()
    first, second = hypothesis.words
    assert first.start == 0.0 and first.end < second.start and second.end == len(frames) - 2


def test_phone_errors_of_letters_are_counted_where_asked_for(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    figures = train(compose("train", tmp_path, *ONE_STEP, f"data.root={tone_corpus}"))
    assert "test/per" not in figures
    folder = tmp_path / "evaluation"
    folder.mkdir()
    overrides = [f"checkpoint={tmp_path}", "data=table", f"data.root={tone_corpus}"]
    figures = evaluate(compose("evaluate", folder, *overrides, "phone_errors=true"))
    assert figures["test/perc"] > 0.0
    counts = json.loads((folder / "report.json").read_text())["corpora"]["test"]["phones"]
    texts = pl.read_csv(tone_corpus / "manifest.csv").filter(split="test")["text"].to_list()
    assert counts["reference"] == sum(len(phones.split()) for phones in phones_of("ru")(texts))
