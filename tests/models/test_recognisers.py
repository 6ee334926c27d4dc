"""What every model of conf/model/ must keep to; a new one is tested here without further ado."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from kaskad.data.batch import Batch
from kaskad.models.cnn2d_lstm import TIME_STRIDES, CNN2dLSTM
from kaskad.models.ctc_recogniser import CTCRecogniser, ctc_losses
from kaskad.models.recurrent import GRU, LSTM, reverse_by_length

MODELS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))
SAMPLES = [16_000, 9_601, 3_333]


def utterances() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [0.1 * torch.randn(length) for length in SAMPLES]


def recogniser(compose, folder: Path, *overrides: str) -> CTCRecogniser:
    torch.manual_seed(0)
    config = compose("train", folder, "tokenizer.alphabet=[a,b,c]", *overrides)
    model = instantiate(config.model).eval()
    for module in model.modules():
        if isinstance(
            module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d
        ):  # as after training, not all 0 and 1
            torch.nn.init.normal_(module.running_mean, std=0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_padding_never_changes_a_result(name: str, compose, tmp_path: Path) -> None:
    model = recogniser(compose, tmp_path, f"model={name}")
    batch = torch.nn.utils.rnn.pad_sequence(utterances(), batch_first=True)
    with torch.no_grad():
        together, lengths = model(batch, torch.tensor(SAMPLES))
        for row, waveform in enumerate(utterances()):
            alone, (length,) = model(waveform[None], torch.tensor([len(waveform)]))
            assert length == lengths[row] == model.frame_count(len(waveform))
            torch.testing.assert_close(alone[0], together[row, :length], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reduction", TIME_STRIDES)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_cnn2d_lstm_compresses_time_as_told(reduction: int, bidirectional: bool) -> None:
    net = CNN2dLSTM(
        20, reduction, (4, 4), hidden_size=8, layers=2, bidirectional=bidirectional
    ).eval()
    for frames in (1, 7, 24, 25):
        encoded, lengths = net(torch.randn(2, frames, 20), torch.tensor([frames, 1]))
        assert encoded.shape == (2, -(-frames // reduction), net.dim)
        assert lengths.tolist() == [net.frame_count(frames), 1]


def test_an_impossible_time_reduction_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="time_reduction is 5; it can be one of 1, 2, 3, 4"):
        CNN2dLSTM(20, time_reduction=5)


@pytest.mark.parametrize("layers", [LSTM, GRU])
def test_a_one_directional_model_does_not_look_ahead(layers) -> None:
    net = layers(4, 8, 2, bidirectional=False).eval()
    sequence = torch.randn(1, 10, 4)
    changed = sequence.clone()
    changed[:, 6:] += 1.0
    lengths = torch.tensor([10])
    torch.testing.assert_close(net(sequence, lengths)[:, :6], net(changed, lengths)[:, :6])


@pytest.mark.parametrize("layers", [LSTM, GRU])
def test_unpacked_layers_give_what_packed_ones_give(layers) -> None:
    torch.manual_seed(0)
    ours = layers(5, 7, 1, bidirectional=True)
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
    assert losses.shape == (1,)
    losses.mean().backward()
    assert log_probs.grad.isfinite().all()
    assert log_probs.grad[1].eq(0).all()
