"""CTC's say in a search that spells, held against all paths of a small utterance."""

from itertools import groupby, product

import pytest
import torch

from kaskad.decoding.attention_beam import AttentionBeamSearch
from kaskad.decoding.ctc_prefixes import CTCPrefixes, joint_step

FRAMES, LABELS = 5, 3


def labels_of(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in groupby(path) if label)


def probability(log_probs: torch.Tensor, fits) -> float:
    paths = product(range(LABELS), repeat=len(log_probs))
    return sum(
        float(log_probs[range(len(path)), path].sum().exp())
        for path in paths
        if fits(labels_of(path))
    )


@pytest.mark.parametrize("length", [FRAMES, 3])
def test_prefixes_are_as_likely_as_all_their_paths_together(length: int) -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(2, FRAMES, LABELS).log_softmax(dim=2)
    ctc = CTCPrefixes(log_probs, torch.tensor([FRAMES, length]))
    prefixes, spelt = ctc.begin(), ()
    for label in (1, 1, 2):
        following = ctc.following(prefixes)
        for candidate in (1, 2):
            wanted = (*spelt, candidate)
            expected = probability(
                log_probs[1, :length], lambda found, w=wanted: found[: len(w)] == w
            )
            assert float(following[1, candidate].exp()) == pytest.approx(expected, abs=1e-6)
        ended = probability(log_probs[1, :length], lambda found, w=spelt: found == w)
        assert float(following[1, 0].exp()) == pytest.approx(ended, abs=1e-6)
        labels = torch.tensor([label, label])
        prefixes = ctc.extended(prefixes, labels, following[:, label])
        spelt = (*spelt, label)


class Nothing:
    """The state of a net that remembers nothing."""

    def take(self, rows: torch.Tensor) -> "Nothing":
        return self


def test_ctc_decides_where_attention_does_not_care() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(1, 4, LABELS).log_softmax(dim=2)
    beam = 8
    ctc = CTCPrefixes(
        log_probs.repeat_interleave(beam, dim=0), torch.tensor([4]).repeat_interleave(beam)
    )

    def indifferent(last: torch.Tensor, state: Nothing) -> tuple[torch.Tensor, Nothing]:
        return torch.zeros(len(last), LABELS), state

    search = AttentionBeamSearch(beam, length_normalisation=0.0, labels_per_second=4.0)
    [(found, score)] = search(*joint_step(indifferent, Nothing(), ctc, 0.5), torch.tensor([1.0]))
    texts = {labels_of(path) for path in product(range(LABELS), repeat=4)}
    likely = {text: probability(log_probs[0], lambda f, t=text: f == t) for text in texts}
    best = max(likely, key=likely.get)
    assert tuple(found) == best
    assert score == pytest.approx(0.5 * torch.tensor(likely[best]).log().item(), abs=1e-4)
