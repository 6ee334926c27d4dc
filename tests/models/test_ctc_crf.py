"""CTC with an n-gram in the loss: against the sum over all paths, and as a choice of a run."""

import math
from itertools import groupby, product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.data.batch import Batch
from kaskad.models.ctc_crf import CTCCRFLoss, log_of_all_texts
from kaskad.models.loading import load
from kaskad.ngrams.dense import estimate_dense
from kaskad.runs.requirements import require_all
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.phonemes import PhonemeTokenizer
from kaskad.text.subwords import SubwordTokenizer
from kaskad.text.tokenizer import Tokenizer
from kaskad.text.words import WordTokenizer

TEXTS = [[1, 2, 1], [2], [1, 1], [2, 1]]


def over_all_paths(log_probs: Tensor, ngram: Tensor, only: list[int] | None = None) -> Tensor:
    """The logarithm of the sum over paths, through all texts or one: (frames, labels) of one."""
    order, scores = ngram.dim(), []
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = [label for label, _ in groupby(path) if label != 0]
        if only is not None and text != only:
            continue
        score = log_probs[torch.arange(len(path)), list(path)].sum()
        padded = [0] * (order - 1) + text + [0]
        for end in range(order, len(padded) + 1):
            score = score + ngram[tuple(padded[end - order : end])].log()
        scores.append(score)
    return torch.stack(scores).logsumexp(dim=0)


def ngram_of(order: int) -> Tensor:
    return torch.from_numpy(estimate_dense(TEXTS, 3, order))


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("spread", [1.0, 60.0])
def test_all_texts_are_all_paths_and_padding_is_none(order: int, spread: float) -> None:
    torch.manual_seed(0)
    scores = (spread * torch.randn(4, 5, 3)).requires_grad_()
    lengths, ngram = torch.tensor([5, 3, 1, 0]), ngram_of(order).float()
    found = log_of_all_texts(scores.log_softmax(dim=2), lengths, ngram)
    (gradient,) = torch.autograd.grad(found.sum(), scores)
    rows = [
        over_all_paths(row[:length].log_softmax(dim=1), ngram)
        for row, length in zip(scores, lengths.tolist(), strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(rows), rtol=1e-5, atol=1e-4)
    (wanted,) = torch.autograd.grad(torch.stack(rows).sum(), scores)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5)
    assert not gradient[1, 3:].any()


@pytest.mark.parametrize("order", [2, 3])
def test_the_gradient_is_that_of_the_sum(order: int) -> None:
    torch.manual_seed(1)
    scores = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([6, 4])
    torch.autograd.gradcheck(lambda x: log_of_all_texts(x, lengths, ngram_of(order)), [scores])


def batch_of(targets: list[list[int]], padding: int = 0) -> Batch:
    most = max(map(len, targets))
    padded = torch.tensor([each + [padding] * (most - len(each)) for each in targets])
    counts, ids = torch.tensor([*map(len, targets)]), [str(n) for n in range(len(targets))]
    return Batch(torch.zeros(len(ids), 1), torch.ones(len(ids)), padded, counts, ids, ids, "ru")


@pytest.mark.parametrize("order", [2, 3])
def test_the_loss_is_the_share_of_the_transcript_in_all_texts(order: int) -> None:
    torch.manual_seed(2)
    loss = CTCCRFLoss(CharacterTokenizer(["a", "b"]), order)
    loss.observe(TEXTS)
    log_probs = torch.randn(3, 5, 3).log_softmax(dim=2)
    # The last has more labels, of which two are equal, than its frames have room for.
    targets, lengths = [[1, 2, 1], [2], [1, 1]], torch.tensor([5, 4, 2])
    losses = loss(log_probs, lengths, batch_of(targets))
    for row in range(2):
        probs = log_probs[row, : lengths[row]]
        own = over_all_paths(probs, loss.ngram, only=targets[row])
        wanted = (over_all_paths(probs, loss.ngram) - own) / len(targets[row])
        torch.testing.assert_close(losses["ctc_crf"][row], wanted, rtol=1e-4, atol=1e-5)
    assert losses["ctc_crf"].isfinite().tolist() == [True, True, False]
    with torch.autocast("cpu", torch.bfloat16):
        again = loss(log_probs, lengths, batch_of(targets, padding=2))
    assert losses.keys() == again.keys() == loss.shares.keys() == {"ctc_crf", "ctc"}
    for name, each in losses.items():
        torch.testing.assert_close(again[name], each, rtol=0.0, atol=0.0)


@pytest.mark.parametrize(
    "tokenizer",
    [WordTokenizer(), CharacterTokenizer(), SubwordTokenizer(20), PhonemeTokenizer()],
    ids=lambda tokenizer: type(tokenizer).__name__,
)
def test_labels_of_any_kind_will_do(tokenizer: Tokenizer) -> None:
    texts = tokenizer.spell(["сто два", "два", "сто сто пять"], "ru")
    tokenizer.fit(texts)
    labels = [tokenizer.encode(text) for text in texts]
    loss = CTCCRFLoss(tokenizer, order=3)
    loss.observe(labels)
    scores = torch.zeros(3, 40, tokenizer.size, requires_grad=True)
    found = loss(scores.log_softmax(dim=2), torch.tensor([40, 30, 40]), batch_of(labels))
    assert (found["ctc_crf"] > 0.0).all()
    found["ctc_crf"].sum().backward()
    # It learns nothing by scaling all labels of a frame alike.
    torch.testing.assert_close(scores.grad.sum(dim=2), torch.zeros(3, 40), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"order": 1}, "wants 2 .bigrams. or more; loss=ctc has none"),
        ({"order": 30}, "3 labels have 205,891,132,094,649 n-grams"),
        ({"ctc_weight": 1.0}, "for plain CTC take loss=ctc"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CTCCRFLoss(CharacterTokenizer(["a", "b"]), **sizes)


def test_a_model_that_cannot_use_the_loss_says_so_before_data_is_read(compose, tmp_path) -> None:
    config = compose("train", tmp_path, "model=transducer")
    require_all(config, tmp_path)
    config.loss["_target_"] = "kaskad.models.CTCCRFLoss"
    with pytest.raises(ConfigurationError, match="TransducerRecogniser has a loss of its own"):
        require_all(config, tmp_path)


def test_a_run_keeps_the_n_gram_of_its_training_text(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    settings = [
        "loss=ctc_crf", "tokenizer=words", "data=table", f"data.root={tone_corpus}",
        "model.encoder.hidden_size=4", "model.encoder.channels=[2,2]", "augment=none",
        "datamodule.workers=0", "datamodule.batch_seconds=8", "trainer.limit_train_batches=1",
        "trainer.max_epochs=1",
    ]  # fmt: skip
    figures = train(compose("train", tmp_path, *settings))
    assert math.isfinite(figures["validation/loss_ctc_crf"])
    model = load(tmp_path)
    assert model.loss_shares == pytest.approx({"ctc_crf": 0.9, "ctc": 0.1})
    # Each of four words is the only one of its utterance in a quarter of them.
    begins = model.loss.ngram[0]
    torch.testing.assert_close(begins[1:], begins[1].expand(4))
    assert (model.loss.ngram[1:, 0] > 0.8).all()
