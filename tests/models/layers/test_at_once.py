"""Two directions in two threads: the outputs and gradients of one thread, to the bit."""

import multiprocessing
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from kaskad.models.layers.rnn import CELLS, RecurrentLayers

LENGTHS = torch.tensor([50, 31, 7])


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def layers(cell: str = "lstm") -> tuple[RecurrentLayers, Tensor]:
    torch.manual_seed(3)
    return CELLS[cell](20, 2, hidden_size=12), torch.randn(3, 50, 20, requires_grad=True)


def trained(
    threads: int, cell: str = "lstm", *, frozen: bool = False, bfloat16: bool = False
) -> list[Tensor | None]:
    """What comes out, and each gradient."""
    torch.set_num_threads(threads)
    net, sequences = layers(cell)
    net.forwards.requires_grad_(not frozen)
    sequences.requires_grad_(not frozen)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        output = net(sequences, LENGTHS)
    weights = torch.linspace(-1, 1, output.numel()).view_as(output)
    (output.float() * weights).sum().backward()
    return [output, sequences.grad, *(weight.grad for weight in net.parameters())]


@pytest.mark.parametrize(
    ("cell", "options"),
    [("lstm", {}), ("gru", {}), ("lstm", {"frozen": True}), ("gru", {"bfloat16": True})],
)
def test_two_threads_learn_what_one_does(cell: str, options: dict[str, Any]) -> None:
    alone, together = trained(1, cell, **options), trained(2, cell, **options)
    assert any(each is None for each in alone) == ("frozen" in options)
    for one, two in zip(alone, together, strict=True):
        assert one is two is None or torch.equal(one, two)  # type: ignore[arg-type]


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
def test_nothing_is_recorded_where_nothing_is_trained(without: Any) -> None:
    net, sequences = layers()
    with without():
        together = net(sequences, LENGTHS)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert torch.equal(together, net(sequences, LENGTHS))
    assert not together.requires_grad


def test_a_fault_within_a_layer_is_told() -> None:
    net, _ = layers()
    with pytest.raises(RuntimeError, match="20"):
        net(torch.zeros(3, 50, 21), LENGTHS)


def _summed(net: RecurrentLayers, sequences: Tensor) -> float:
    with torch.no_grad():
        return float(net(sequences, LENGTHS).sum())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    net, sequences = layers()
    here = _summed(net, sequences)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(_summed, (net, sequences.detach())).get(timeout=60)
    assert there == here
