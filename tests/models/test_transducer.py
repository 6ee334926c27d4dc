"""A transducer: its loss against all alignments, and its searches against each other."""

import math
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kaskad.decoding.transducer_search import TransducerSearch
from kaskad.models.layers.prediction import Joiner, PredictionNet
from kaskad.models.transducer import transducer_losses
from kaskad.text.characters import CharacterTokenizer

LABELS = CharacterTokenizer([" ", "a", "b"])


def all_alignments(log_probs: Tensor, targets: list[int]) -> float:
    """The log-probability of labels, over all ways to spread them over frames."""
    total = -math.inf
    for frames in combinations_with_replacement(range(len(log_probs)), len(targets)):
        label, score = 0, 0.0
        for frame in range(len(log_probs)):
            while label < len(targets) and frames[label] == frame:
                score += log_probs[frame, label, targets[label]].item()
                label += 1
            score += log_probs[frame, label, 0].item()
        total = float(torch.logaddexp(torch.tensor(total), torch.tensor(score)))
    return total


def test_the_loss_is_the_sum_over_all_alignments() -> None:
    torch.manual_seed(0)
    scores = torch.randn(3, 4, 4, 4)
    targets = torch.tensor([[1, 2, 2], [3, 0, 0], [0, 0, 0]])
    lengths, counts = torch.tensor([4, 3, 2]), torch.tensor([3, 1, 0])
    losses = transducer_losses(scores, targets, lengths, counts)
    for row in range(3):
        label = targets[row, : counts[row]].tolist()
        log_probs = scores[row, : lengths[row]].log_softmax(dim=2)
        assert float(losses[row]) == pytest.approx(-all_alignments(log_probs, label), rel=1e-5)


def net() -> tuple[PredictionNet, Joiner]:
    torch.manual_seed(1)
    prediction = PredictionNet(LABELS.size, embedding_size=4, hidden_size=6, dropout=0.0)
    joiner = Joiner(5, 6, 8, LABELS.size)
    torch.nn.init.normal_(joiner.head.weight, std=2.0)
    return prediction.eval(), joiner.eval()


def test_going_on_label_by_label_foresees_what_all_at_once_does() -> None:
    prediction, _ = net()
    targets = torch.tensor([[1, 3, 2], [2, 2, 0]])
    together = prediction(targets)
    state = prediction.begin(2)
    for position in range(3):
        torch.testing.assert_close(state.output, together[:, position])
        state = prediction.step(targets[:, position], state)
    torch.testing.assert_close(state.output, together[:, 3])


def test_a_wide_beam_finds_the_likeliest_transcript() -> None:
    prediction, joiner = net()
    encoded = 2.0 * torch.randn(2, 3, 5)
    lengths = torch.tensor([3, 2])
    search = TransducerSearch(LABELS, 0.04, beam=40, labels_per_frame=2)
    found = search(encoded, lengths, prediction, joiner)
    for row, hypothesis in enumerate(found):
        likeliest = {}
        for labels in _texts(3):
            outputs = prediction(torch.tensor([labels], dtype=torch.long))[0]
            scores = joiner(encoded[row, : lengths[row], None], outputs[None])
            likeliest[labels] = all_alignments(scores.log_softmax(dim=2), list(labels))
        best = max(likeliest, key=likeliest.get)
        expected = " ".join(LABELS.decode(best).split())
        assert hypothesis.text == expected
        assert hypothesis.score == pytest.approx(likeliest[best], abs=0.05)
        if hypothesis.words:
            assert 0.0 <= hypothesis.words[0].start < hypothesis.words[-1].end <= 0.04 * 3


def _texts(longest: int) -> list[tuple[int, ...]]:
    texts: list[tuple[int, ...]] = [()]
    for text in texts:
        if len(text) < longest:
            texts += [(*text, label) for label in (1, 2, 3)]
    return texts


def test_greedy_search_takes_the_likeliest_label_and_goes_no_further_than_the_end() -> None:
    prediction, joiner = net()
    encoded = torch.randn(2, 6, 5)
    search = TransducerSearch(LABELS, 0.04, beam=1, labels_per_frame=2)
    together = search(encoded, torch.tensor([6, 3]), prediction, joiner)
    [alone] = search(encoded[1:, :3], torch.tensor([3]), prediction, joiner)
    assert alone.text == together[1].text
    assert [(w.start, w.end) for w in alone.words] == [(w.start, w.end) for w in together[1].words]
    assert alone.score == pytest.approx(together[1].score, abs=1e-5)


def test_a_language_model_has_its_say(tmp_path: Path) -> None:
    prediction, joiner = net()
    torch.nn.init.zeros_(joiner.head.weight)  # ignores the audio, and finds all labels alike
    arpa = tmp_path / "words.arpa"
    arpa.write_text(
        "\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-99\t<s>\t0\n-1\t</s>\n-3\tab\t0\n"
        "-0.1\tb\t0\n\n\\2-grams:\n-0.1\t<s> b\n\n\\end\\\n"
    )
    options = {"beam": 30, "labels_per_frame": 1, "language_model": arpa, "beta": 0.0}
    search = TransducerSearch(LABELS, 0.04, alpha=5.0, **options)
    [found] = search(torch.zeros(1, 3, 5), torch.tensor([3]), prediction, joiner)
    assert found.text in ("", "b")
    assert all("ab" not in each.text.split() for each in found.alternatives[:3])
    assert found.score < found.acoustic_score


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"labels_per_frame": 0}, "labels_per_frame is 0"),
        ({"beam": 1, "language_model": "lm.arpa"}, "a beam of 1 has one"),
    ],
)
def test_a_search_that_cannot_be_is_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TransducerSearch(LABELS, 0.04, **wrong)
