"""Beam search with nets so small that every hypothesis can be counted."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from kaskad.decoding.attention_beam import BOUNDARY, AttentionBeamSearch


class History(NamedTuple):
    """A net that remembers all labels, and whose utterance it decodes."""

    utterance: Tensor
    labels: Tensor

    def take(self, rows: Tensor) -> "History":
        return History(self.utterance[rows], self.labels[rows])


def probabilities(utterance: int, labels: tuple[int, ...]) -> Tensor:
    """The logarithms of those of the next of 3 labels: any, but always the same."""
    generator = torch.Generator().manual_seed(hash((utterance, labels)) % 2**31)
    return (2.0 * torch.randn(3, generator=generator)).log_softmax(0)


def step(previous: Tensor, state: History) -> tuple[Tensor, History]:
    labels = torch.cat([state.labels, previous[:, None]], dim=1)
    rows = zip(state.utterance.tolist(), labels.tolist(), strict=True)
    found = [probabilities(utterance, tuple(row[1:])) for utterance, row in rows]
    return torch.stack(found), History(state.utterance, labels)


def search(utterances: Sequence[int], seconds: Sequence[float], **options) -> list:
    beams = AttentionBeamSearch(labels_per_second=1.0, **options)
    rows = torch.tensor([*utterances]).repeat_interleave(beams.beam)
    return beams(step, History(rows, rows[:, None][:, :0]), torch.tensor(seconds))


def logarithm(utterance: int, labels: tuple[int, ...]) -> float:
    """Of the probability of these labels and the end."""
    path = [*labels, BOUNDARY]
    return sum(
        float(probabilities(utterance, labels[:position])[label])
        for position, label in enumerate(path)
    )


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_beam_that_loses_nothing_finds_the_best_of_all(power: float) -> None:
    paths = [path for length in range(4) for path in product((1, 2), repeat=length)]
    for utterance in range(20):
        best = max(paths, key=lambda path: logarithm(utterance, path) / (len(path) + 1) ** power)
        ((labels, score),) = search([utterance], [3.0], beam=20, length_normalisation=power)
        assert tuple(labels) == best
        assert score == pytest.approx(logarithm(utterance, best), abs=1e-5)


def test_one_beam_takes_the_likeliest_label_each_time() -> None:
    for utterance in range(20):
        ((labels, score),) = search([utterance], [3.0], beam=1)
        expected: tuple[int, ...] = ()
        while len(expected) < 3 and (label := int(probabilities(utterance, expected).argmax())):
            expected += (label,)
        assert tuple(labels) == expected
        assert score == pytest.approx(logarithm(utterance, expected), abs=1e-5)


def test_more_beams_find_likelier_hypotheses() -> None:
    many = range(40), [5.0] * 40
    found = [
        sum(score for _, score in search(*many, beam=beam, length_normalisation=0.0))
        for beam in (1, 2, 4)
    ]
    assert found[0] < found[1] <= found[2]


def test_an_utterance_is_searched_alike_alone_or_among_longer_ones() -> None:
    seconds = [0.5, 6.0, 2.0, 4.5]
    together = search(range(4), seconds, beam=3)
    alone = [search([index], [length], beam=3)[0] for index, length in enumerate(seconds)]
    assert together == alone
    assert all(
        len(labels) <= -(-length // 1) for (labels, _), length in zip(alone, seconds, strict=True)
    )


def test_no_beam_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"beam is 0; it must be 1 \(greedy\) or more"):
        AttentionBeamSearch(beam=0)
