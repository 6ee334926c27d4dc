"""A decoder with attention, from its masks to what is done with its checkpoint."""

from pathlib import Path

import polars as pl
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from kaskad import espeak
from kaskad.commands.evaluate import evaluate
from kaskad.commands.train import train
from kaskad.commands.transcribe import transcribe
from kaskad.data.batch import Batch
from kaskad.models.layers.attention_decoder import AttentionDecoder
from kaskad.models.recogniser import load_recogniser
from kaskad.models.scheduled_sampling import ScheduledSampling
from kaskad.models.seq2seq import spelling_losses
from kaskad.runs.checkpoints import CheckpointError

TEXTS = ["двадцать один", "сто", "сорок два", "две тысячи три"]
SMALL = [
    "model=seq2seq_gru",
    "model.encoder={hidden_size: 48, layers: 1, dropout: 0.0}",
    "model.attention_decoder={hidden_size: 48, layers: 2, dropout: 0.0}",
    "model.sampling.start=0.5",
    "data=table",
    "data.language=ru",
    "augment=none",
    "logger=csv",
    "trainer.precision=32-true",
    "trainer.max_epochs=16",
    "optimizer.lr=0.01",
    "datamodule.workers=0",
    "datamodule.batch_seconds=8",
]


@pytest.fixture(scope="module")
def run(compose, tmp_path_factory) -> Path:
    """The folder of a run that overfits four utterances; they lie in speech/."""
    folder = tmp_path_factory.mktemp("run")
    speech = folder / "speech"
    speech.mkdir()
    rows = []
    for index, text in enumerate(TEXTS):
        soundfile.write(speech / f"{index}.wav", espeak.synthesise(text, voice="ru"), 22_050)
        splits = ["train"] * 16 + ["validation", "test"]
        rows += [(f"{n}-{index}", f"{index}.wav", text, split) for n, split in enumerate(splits)]
    table = pl.DataFrame(rows, schema=["id", "path", "text", "split"], orient="row")
    table.write_csv(speech / "manifest.csv")
    train(compose("train", folder, *SMALL, f"data.root={speech}"))
    return folder


@pytest.mark.slow
def test_utterances_are_overfitted_to_the_letter(run: Path) -> None:
    hypotheses = pl.read_csv(run / "hypotheses.csv")
    assert sorted(hypotheses["hypothesis"]) == sorted(TEXTS)


@pytest.mark.slow
def test_what_the_loss_is_made_of_is_logged(run: Path) -> None:
    logged = pl.read_csv(run / "csv" / "metrics.csv")
    for part, loss in (("training", "loss_epoch"), ("validation", "loss")):
        names = [f"{part}/{name}" for name in (loss, "loss_attention", "loss_ctc")]
        figures = logged.select(names).drop_nulls()
        total, attention, ctc = figures.to_numpy().T
        assert len(figures) == 16
        assert total == pytest.approx(0.7 * attention + 0.3 * ctc, rel=1e-4)


@pytest.mark.slow
def test_words_have_times_by_ctc_and_the_confidence_of_their_labels(run: Path) -> None:
    recogniser, _ = load_recogniser(run)
    [found] = recogniser.transcribe([run / "speech" / "0.wav"])
    assert [word.text for word in found.words] == ["двадцать", "один"]
    first, second = found.words
    assert 0.0 <= first.start < first.end <= second.start < second.end < 2.0
    assert all(0.0 < word.confidence <= 1.0 for word in found.words)
    recogniser.ctc_head = None
    [found] = recogniser.transcribe([run / "speech" / "0.wav"])
    assert [(word.start, word.end) for word in found.words] == [(None, None), (None, None)]


@pytest.mark.slow
def test_a_checkpoint_is_evaluated_and_transcribes_without_a_word_about_it(
    run: Path, compose, tmp_path: Path
) -> None:
    corpus = ["data=table", f"data.root={run / 'speech'}", "datamodule.workers=0"]
    figures = evaluate(compose("evaluate", tmp_path, f"checkpoint={run}", *corpus))
    assert figures["test/wer"] == 0.0
    output = tmp_path / "out.csv"
    overrides = [f"checkpoint={run}", f"input={run / 'speech'}", f"output={output}"]
    transcribe(compose("transcribe", tmp_path, *overrides))
    assert pl.read_csv(output)["number"].to_list() == [21, 100, 42, 2003]


@pytest.mark.slow
def test_a_decoder_of_ctc_is_refused(run: Path) -> None:
    decoder = OmegaConf.create({"_target_": "kaskad.decoding.GreedyDecoder"})
    with pytest.raises(CheckpointError, match="its model has no decoder= to replace"):
        load_recogniser(run, decoder=decoder)


def net() -> AttentionDecoder:
    torch.manual_seed(0)
    return AttentionDecoder(6, labels=5, hidden_size=8, layers=3, attention_size=8).eval()


def test_nobody_looks_beyond_the_end() -> None:
    decoder, encoded = net(), torch.randn(3, 9, 6)
    lengths = torch.tensor([9, 4, 1])
    targets = torch.tensor([[1, 2, 3], [4, 0, 0], [0, 0, 0]])
    _, weights = decoder(encoded, lengths, targets)
    assert weights.shape == (3, 4, 9)
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 4))
    for row, length in enumerate(lengths):
        assert weights[row, :, length:].eq(0).all()


def test_what_stands_beyond_the_end_changes_nothing() -> None:
    decoder, encoded = net(), torch.randn(2, 9, 6)
    targets = torch.tensor([[1, 2, 3], [4, 1, 0]])
    for length in (1, 4, 9):
        together, _ = decoder(encoded, torch.tensor([9, length]), targets)
        alone, _ = decoder(encoded[1:, :length], torch.tensor([length]), targets[1:, :2])
        torch.testing.assert_close(together[1, :3], alone[0], atol=1e-5, rtol=1e-5)


def test_the_loss_is_a_label_s_and_counts_the_end_but_no_padding() -> None:
    log_probs = torch.randn(2, 4, 5).log_softmax(2)
    targets = torch.tensor([[1, 2, 3], [4, 0, 0]])
    batch = Batch(
        torch.zeros(2, 1), torch.ones(2), targets, torch.tensor([3, 1]), ["a", "b"], ["", ""], "en"
    )
    long = -log_probs[0, range(4), [1, 2, 3, 0]].mean()
    short = -log_probs[1, range(2), [4, 0]].mean()
    torch.testing.assert_close(
        spelling_losses(log_probs, batch.targets, batch.target_lengths), torch.stack([long, short])
    )


def test_a_decoder_fed_its_own_guesses_never_sees_the_reference() -> None:
    decoder, encoded, lengths = net(), torch.randn(2, 9, 6), torch.tensor([9, 5])
    one, other = torch.tensor([[1, 2, 3]] * 2), torch.tensor([[3, 4, 4]] * 2)
    told = [decoder(encoded, lengths, targets)[0] for targets in (one, other)]
    alone = [decoder(encoded, lengths, targets, own_share=1.0)[0] for targets in (one, other)]
    assert not torch.equal(*told)
    assert torch.equal(*alone)


def test_own_guesses_come_in_by_schedule() -> None:
    sampling = ScheduledSampling(start=0.5, highest=0.4)
    shares = [sampling.share(progress) for progress in (0.0, 0.5, 0.75, 1.0)]
    assert shares == pytest.approx([0.0, 0.0, 0.2, 0.4])
    assert ScheduledSampling(start=1.0).share(1.0) == 0.0
    with pytest.raises(ValueError, match="highest of scheduled sampling is 2"):
        ScheduledSampling(highest=2.0)
