"""The processes of a run that is spread over devices or machines (DDP). As a rule there is one.

Every process must come by the functions that exchange something, or the others wait for it.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch.distributed as distributed
from torch import Tensor

from kaskad.runs.stop_signals import ends_with_parent

Value = TypeVar("Value")
FIRST = "KASKAD_FIRST_PROCESS"  # its id, for those that it starts


def rank() -> int:
    """The number of this process among those of its run; that of the first is 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many processes the run has."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def gathered(value: Value) -> list[Value]:
    """What each process has, in the order of their numbers."""
    if count() == 1:
        return [value]
    values: list[Value] = [value] * count()
    distributed.all_gather_object(values, value)
    return values


def total(summand: Tensor) -> Tensor:
    """The sum over all processes, each of which has such a tensor."""
    if count() > 1:
        summand = summand.clone()
        distributed.all_reduce(summand)
    return summand


def part() -> None:
    """Let each process go on by itself, as the only one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def known_as_first() -> Iterator[None]:
    """Tell the processes that this one, the first of a run, starts within, who started them."""
    os.environ[FIRST] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[FIRST]


def end_with_first() -> None:
    """Have this process of a run end with the first that has started it: it would wait for it for
    half an hour. Those that torchrun or srun has started are ended by these."""
    if FIRST not in os.environ:
        return
    ends_with_parent()
    if os.getppid() != int(os.environ[FIRST]):  # it has ended already
        raise SystemExit(128 + signal.SIGTERM)
