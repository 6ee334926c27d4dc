"""What every model of conf/model/ must keep to; a new one is tested here without further ado.

Language models, which take no audio, have tests of their own.
"""

from pathlib import Path

import pytest
import soxr
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from kaskad import espeak
from kaskad.data.batch import Batch, Collate, Utterance
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.ctc_losses import ctc_losses
from kaskad.models.encoders.cnn2d_lstm import CNN2dLSTM
from kaskad.models.layers.rnn import GRU, LSTM, reverse_by_length
from kaskad.models.layers.subsampling import TIME_STRIDES
from kaskad.models.recogniser import Recogniser, load_recogniser

CHOICES = (Path(__file__).parents[2] / "conf" / "model").glob("*.yaml")
# Encoders that others trained have tests of their own, too: they need a folder to be read from.
ELSEWHERE = ("lstm_lm", "transformer_lm", "g2p", "g2p_transformer", "corrector", "pretrained_ctc")
MODELS = sorted(path.stem for path in CHOICES if path.stem not in ELSEWHERE)
# The same nets, so small that a test of them is short.
BLOCKS = "model.encoder={dim: 48, layers: 2, channels: [8, 8]}"
SMALL = {
    "conformer": [BLOCKS],
    "conformer_attention": [BLOCKS, "model.attention_decoder={hidden_size: 64, layers: 1}"],
    "transformer": [BLOCKS],
    "cnn_transformer": [BLOCKS],
    "deepspeech2": ["model.encoder={hidden_size: 48, layers: 2, channels: [4, 4]}"],
    "wav2letter": ["model.encoder.channels=[48,48,48,48,48,48,48,48,64,64]"],
    "transducer": ["model.encoder={hidden_size: 48, layers: 1, channels: [4, 4]}"],
}
MOST_STEPS = 150
WORDS = ["один", "два", "три", "пять"]


@pytest.fixture(scope="module")
def clips() -> list[Utterance]:
    """Four words, spoken: characters to one model, a label each to another."""
    speech = {word: espeak.synthesise(word, voice="ru") / 2**15 for word in WORDS}
    return [
        Utterance(word, word, soxr.resample(spoken, espeak.SAMPLE_RATE, 16_000).astype("float32"))
        for word, spoken in speech.items()
    ]


def make(name: str, compose, folder: Path, *overrides: str) -> tuple[Recogniser, DictConfig]:
    """The recogniser of ``conf/model/<name>.yaml`` for the clips, and its configuration."""
    torch.manual_seed(0)
    # Two corpora, for a model that needs a second one.
    settings = [f"model={name}", "data=ru_en", "augment=none", *SMALL.get(name, ()), *overrides]
    config = compose("train", folder, *settings)
    config.tokenizer.update(instantiate(config.tokenizer).fit(WORDS).state())
    return instantiate(config.model).eval(), config


def collate(model: Recogniser, clips: list[Utterance]) -> Batch:
    return Collate(model.tokenizer, language="ru", corpus="train", branch="ru")(clips)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_padding_never_changes_a_result(name: str, compose, clips, tmp_path: Path) -> None:
    model, _ = make(name, compose, tmp_path)
    for module in model.modules():
        # As after training, not all 0 and 1.
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    batch = collate(model, clips)
    losses, hypotheses = model.loss_and_decode(batch)
    for row, clip in enumerate(clips):
        losses_alone, (hypothesis,) = model.loss_and_decode(collate(model, [clip]))
        for name, (loss,) in losses_alone.items():
            torch.testing.assert_close(loss, losses[name][row], atol=1e-5, rtol=1e-5)
        assert hypothesis.text == hypotheses[row].text
        assert hypothesis.score == pytest.approx(hypotheses[row].score, rel=1e-4)
    if isinstance(model, CTCRecogniser):
        together, lengths = model.posteriors(batch)
        for row, clip in enumerate(clips):
            alone, (length,) = model.posteriors(collate(model, [clip]))
            assert length == lengths[row] == model.frame_count(len(clip.waveform))
            torch.testing.assert_close(
                alone[0, :length], together[row, :length], atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("name", MODELS)
def test_four_clips_are_overfitted(name: str, compose, clips, tmp_path: Path) -> None:
    model, config = make(name, compose, tmp_path, "features.hop=0.02")  # few frames, for speed
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    batch = collate(model, clips)
    optimizer = model.make_optimizer(model.parameters())
    for step in range(1, MOST_STEPS + 1):
        optimizer.zero_grad()
        model.train().training_losses(batch)["loss"].mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.trainer.gradient_clip_val)
        optimizer.step()
        if step % 5 == 0:
            with torch.no_grad():
                losses, hypotheses = model.eval().loss_and_decode(batch)
            if [hypothesis.text for hypothesis in hypotheses] == WORDS:
                return
    pytest.fail(f"after {MOST_STEPS} steps, with losses of {losses}: {hypotheses}")


def test_words_of_a_closed_vocabulary_are_labels_of_ctc(compose, clips, tmp_path: Path) -> None:
    model, _ = make("cnn2d_lstm", compose, tmp_path, "tokenizer=words", "features.hop=0.02")
    assert model.tokenizer.size == len(WORDS) + 1
    batch = collate(model, clips)
    optimizer = model.make_optimizer(model.parameters())
    for _ in range(40):
        optimizer.zero_grad()
        model.train().losses(batch)["ctc"].mean().backward()
        optimizer.step()
    with torch.no_grad():
        hypotheses = model.eval().decode(batch)
    assert [hypothesis.text for hypothesis in hypotheses] == WORDS
    assert all(len(hypothesis.words) == 1 for hypothesis in hypotheses)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_checkpoint_gives_back_what_was_saved(name: str, compose, clips, tmp_path: Path) -> None:
    model, config = make(name, compose, tmp_path)
    resolved = OmegaConf.to_container(config, resolve=True)
    torch.save({"config": resolved, "state_dict": model.state_dict()}, tmp_path / "best.ckpt")
    loaded, trained = load_recogniser(tmp_path / "best.ckpt")
    assert trained == resolved
    losses, hypotheses = model.loss_and_decode(collate(model, clips))
    losses_again, hypotheses_again = loaded.loss_and_decode(collate(loaded, clips))
    assert losses.keys() == model.loss_shares.keys()
    assert all(torch.equal(loss, losses_again[name]) for name, loss in losses.items())
    assert hypotheses == hypotheses_again


@pytest.mark.parametrize("name", MODELS)
def test_half_the_precision_is_enough_to_learn_and_to_decode(
    name: str, compose, clips, tmp_path: Path
) -> None:
    model, _ = make(name, compose, tmp_path, "features.hop=0.02")
    batch = collate(model, clips[:2])
    # oneDNN has no LSTM of any width in bfloat16 where the processor has no bfloat16.
    without_onednn = torch.backends.mkldnn.flags(enabled=False)
    with without_onednn, torch.autocast("cpu", torch.bfloat16):
        losses = model.train().losses(batch)
        for loss in losses.values():
            assert loss.dtype == torch.float32
            assert loss.isfinite().all()
        torch.stack([*losses.values()]).mean().backward()
        with torch.no_grad():
            assert len(model.eval().decode(batch)) == 2
            if isinstance(model, CTCRecogniser):
                assert model.posteriors(batch)[0].dtype == torch.float32
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("reduction", TIME_STRIDES)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_cnn2d_lstm_compresses_time_as_asked(reduction: int, bidirectional: bool) -> None:
    net = CNN2dLSTM(
        20, reduction, (4, 4), hidden_size=8, layers=2, bidirectional=bidirectional
    ).eval()
    for frames in (1, 7, 24, 25):
        encoded, lengths = net(torch.randn(2, frames, 20), torch.tensor([frames, 1]))
        assert encoded.shape == (2, -(-frames // reduction), net.dim)
        assert lengths.tolist() == [net.frame_count(frames), 1]


def test_an_impossible_time_reduction_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="time_reduction is 5; it can be one of 1, 2, 3, 4"):
        CNN2dLSTM(20, time_reduction=5, hidden_size=8)


@pytest.mark.parametrize("layers", [LSTM, GRU])
def test_a_one_directional_model_does_not_look_ahead(layers) -> None:
    net = layers(4, 2, hidden_size=8, bidirectional=False).eval()
    sequence = torch.randn(1, 10, 4)
    changed = sequence.clone()
    changed[:, 6:] += 1.0
    lengths = torch.tensor([10])
    torch.testing.assert_close(net(sequence, lengths)[:, :6], net(changed, lengths)[:, :6])


@pytest.mark.parametrize("layers", [LSTM, GRU])
def test_unpacked_layers_give_what_packed_ones_give(layers) -> None:
    torch.manual_seed(0)
    ours = layers(5, 1, hidden_size=7, bidirectional=True)
    packed = layers.cell(5, 7, batch_first=True, bidirectional=True)
    weights = {**ours.forwards[0].state_dict()}
    weights |= {f"{name}_reverse": w for name, w in ours.backwards[0].state_dict().items()}
    packed.load_state_dict(weights)
    sequences, lengths = torch.randn(3, 9, 5), torch.tensor([9, 4, 1])
    rnn = torch.nn.utils.rnn
    expected, _ = rnn.pad_packed_sequence(
        packed(rnn.pack_padded_sequence(sequences, lengths, batch_first=True))[0], batch_first=True
    )
    found = ours(sequences, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(found[row, :length], expected[row, :length])


def test_reversing_twice_gives_back_the_sequences() -> None:
    sequences, lengths = torch.randn(3, 5, 2), torch.tensor([5, 2, 0])
    once = reverse_by_length(sequences, lengths)
    torch.testing.assert_close(once[1, :2], sequences[1, :2].flip(0))
    torch.testing.assert_close(reverse_by_length(once, lengths), sequences)


def test_an_utterance_that_ctc_cannot_align_is_left_out_of_the_loss() -> None:
    log_probs = torch.randn(2, 4, 4, requires_grad=True)
    targets = torch.tensor([[1, 2, 3], [1, 1, 1]])  # three equal labels need five frames
    batch = Batch(
        torch.zeros(2, 1), torch.ones(2), targets, torch.tensor([3, 3]), ["a", "b"], ["", ""], "en"
    )
    losses = ctc_losses(log_probs.log_softmax(2), torch.tensor([4, 4]), batch)
    assert losses.isfinite().tolist() == [True, False]
    losses[0].backward()
    assert log_probs.grad.isfinite().all()
    assert log_probs.grad[1].eq(0).all()
