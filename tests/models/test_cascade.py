"""What a recogniser with a cascade learns from a batch, and what its losses count for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from kaskad.data.batch import Batch, Collate, Utterance
from kaskad.models.cascade import CascadeRecogniser

HEADS = ["shared", "per_language", "both"]
SIZES = ["model.encoder.shared.hidden_size=8", "model.encoder.time_reduction=2", "augment=none"]
LOSSES = {"ru": 2.0, "en": 6.0}


def cascade(compose, folder: Path, head: str, *more: str) -> CascadeRecogniser:
    torch.manual_seed(0)
    overrides = ["model=cascade_lstm", f"model.head={head}", "data=ru_en", *SIZES, *more]
    config = compose("train", folder, *overrides)
    config.tokenizer.alphabet = list("абab")
    return instantiate(config.model)


def batch(model: CascadeRecogniser, text: str, branch: str) -> Batch:
    noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 8_000)).astype(np.float32)
    utterances = [Utterance(str(row), text, waveform) for row, waveform in enumerate(noise)]
    return Collate(model.tokenizer, branch, branch, branch)(utterances)


@pytest.mark.parametrize("head", HEADS)
def test_a_batch_teaches_its_own_branch_and_what_all_share(compose, tmp_path, head: str) -> None:
    model = cascade(compose, tmp_path, head)
    model.losses(batch(model, "аб", "ru"))["ctc"].mean().backward()
    taught = {name for name, weight in model.named_parameters() if weight.grad is not None}
    own = {"encoder.subnets.ru.", "encoder.shared."}
    own |= {
        "shared": {"head."},
        "per_language": {"head.ru."},
        "both": {"head.ru.", "shared_head."},
    }[head]
    expected = {name for name, _ in model.named_parameters() if name.startswith(tuple(own))}
    assert taught == expected
    assert all(model.get_parameter(name).grad.abs().sum() > 0 for name in taught)


def test_one_step_learns_from_every_corpus_alike(compose, tmp_path: Path) -> None:
    model = cascade(compose, tmp_path, "shared").eval()
    model.log = model.log_dict = lambda *_, **__: None
    russian, english = batch(model, "аб", "ru"), batch(model, "ab", "en")
    both = model.training_step([russian, english], 0)
    each = [model.training_step(one, 0) for one in (russian, english)]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)
    nothing = Collate(model.tokenizer, "en", "en", "en")([])
    torch.testing.assert_close(model.training_step([russian, nothing], 0), each[0])
    assert model.training_step([nothing, nothing], 0) is None


def test_losses_have_their_weights(compose, tmp_path: Path) -> None:
    def weighed(*overrides: str) -> torch.Tensor:
        model = cascade(compose, tmp_path, "shared", *overrides)
        model.log = lambda *_, **__: None
        model.hours = {"ru": 0.5, "en": 1.5} if model.weights_are_hours else {}
        if model.log_variances:
            model.log_variances["en"].data.fill_(1.0)
        losses = [(batch(model, "аб", name), torch.tensor(loss)) for name, loss in LOSSES.items()]
        return model.weighed(losses)

    torch.testing.assert_close(weighed(), torch.tensor(4.0))
    torch.testing.assert_close(weighed("model.updates=sum"), torch.tensor(8.0))
    torch.testing.assert_close(weighed("model.loss_weights=by_hours"), torch.tensor(5.0))
    expected = torch.tensor((2.0 + 6.0 / np.e + 0.5) / 2)
    torch.testing.assert_close(weighed("model.loss_weights=uncertainty"), expected)


@pytest.mark.parametrize("head", HEADS[1:])
def test_a_head_per_language_gives_foreign_letters_no_chance(compose, tmp_path, head) -> None:
    model = cascade(compose, tmp_path, head)
    alphabet = model.tokenizer.encode("аб")
    model.head["ru"].know({0, *alphabet})
    utterances = batch(model, "аб", "ru")
    log_probs, _ = model.posteriors(utterances)
    foreign = model.tokenizer.encode("ab")
    assert log_probs[:, :, foreign].exp().eq(0).all()
    torch.testing.assert_close(log_probs.exp().sum(2), torch.ones(log_probs.shape[:2]))
    model.losses(utterances)["ctc"].mean().backward()
    assert all(w.grad.isfinite().all() for w in model.parameters() if w.grad is not None)
    assert model.head["ru"].weight.grad[foreign].eq(0).all()


def test_a_batch_of_an_unknown_language_is_refused(compose, tmp_path: Path) -> None:
    model = cascade(compose, tmp_path, "shared")
    with pytest.raises(ValueError, match="no branch for 'de': this cascade has ru, en"):
        model.losses(batch(model, "аб", "de"))
