"""Recurrent layers that do not wait for each other, computed at the same time on the processor.

A recurrence is many small products, one after another, and threads that share each of them spend
their time waiting for each other. The two directions of a layer share nothing: with a
thread for each, nobody waits for a thread that a busy machine holds up.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def outputs_at_once(layers: Sequence[nn.Module], sequences: Sequence[Tensor]) -> list[Tensor]:
    """What comes out of each recurrent layer for its own sequences, (batch, frames, dim) each.

    The outputs and their gradients are those of ``layer(sequence)[0]``. The layers are computed at
    the same time where torch has a thread for each of them, and no export records what they do.
    """
    threads = torch.get_num_threads() // len(layers)
    if threads < 1 or any(not each.is_cpu for each in sequences) or _is_recorded():
        return [layer(sequence)[0] for layer, sequence in zip(layers, sequences, strict=True)]
    pool = _pool(len(layers), threads)
    if not torch.is_grad_enabled():
        return _outputs(pool, layers, sequences)
    weights = [weight for layer in layers for weight in layer.parameters()]
    return list(_AtOnce.apply(pool, layers, *sequences, *weights))


class _AtOnce(torch.autograd.Function):
    """Each layer records a graph of its own, and its gradient is taken in a thread of its own."""

    @staticmethod
    def forward(
        ctx: Any, pool: ThreadPoolExecutor, layers: Sequence[nn.Module], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        needed = ctx.needs_input_grad[2:]
        sequences = [
            sequence.detach().requires_grad_(need)
            for sequence, need in zip(tensors[: len(layers)], needed[: len(layers)], strict=True)
        ]
        with torch.enable_grad():
            outputs = _outputs(pool, layers, sequences)
        ctx.pool = pool
        ctx.tensors = [*sequences, *tensors[len(layers) :]]
        ctx.graphs = [
            (output, [each for each in (sequence, *layer.parameters()) if each.requires_grad])
            for output, sequence, layer in zip(outputs, sequences, layers, strict=True)
        ]
        return tuple(output.detach() for output in outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        def taken(graph: tuple[Tensor, list[Tensor]], gradient: Tensor) -> dict[int, Tensor]:
            output, sources = graph
            found = torch.autograd.grad(output, sources, gradient) if sources else ()
            return {id(source): each for source, each in zip(sources, found, strict=True)}

        found: dict[int, Tensor] = {}
        for each in ctx.pool.map(taken, ctx.graphs, gradients):
            found.update(each)
        ordered = [found.get(id(tensor)) for tensor in ctx.tensors]
        ctx.graphs = ctx.tensors = None  # what they hold is freed layer by layer
        return (None, None, *ordered)


def _outputs(
    pool: ThreadPoolExecutor, layers: Iterable[nn.Module], sequences: Iterable[Tensor]
) -> list[Tensor]:
    """Computed in the threads of ``pool``, with the gradient and precision of this thread."""
    recording = _recording()
    is_cast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def computed(layer: nn.Module, sequence: Tensor) -> Tensor:
        # Not torch.autocast: at its end it would empty the cache of weights of all threads.
        torch.set_autocast_enabled("cpu", is_cast)
        torch.set_autocast_dtype("cpu", dtype)
        with recording():
            return cast(Tensor, layer(sequence)[0])

    return list(pool.map(computed, layers, sequences))


def _recording() -> Callable[[], AbstractContextManager[Any]]:
    """Whether this thread records what gradients need; torch knows it of each thread by itself."""
    if torch.is_inference_mode_enabled():
        return torch.inference_mode
    return torch.enable_grad if torch.is_grad_enabled() else torch.no_grad


def _is_recorded() -> bool:
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


@functools.cache
def _pool(count: int, threads: int) -> ThreadPoolExecutor:
    """``count`` threads of Python, for each of which torch takes ``threads`` of its own."""
    together = threading.Barrier(count + 1)
    before = torch.get_num_threads()

    def prepare() -> None:
        torch.get_num_threads()  # or the first tensor would set the number of the whole process
        torch.set_num_threads(threads)
        together.wait()

    pool = ThreadPoolExecutor(count, thread_name_prefix="recurrent-layer", initializer=prepare)
    for _ in range(count):
        pool.submit(int)
    together.wait()
    torch.set_num_threads(before)
    return pool


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: a child starts its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)
