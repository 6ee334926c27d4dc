"""What a model takes: parameters, size, and memory at its peak."""

import resource
import sys
from itertools import chain
from typing import Any

import torch
from torch import nn


def footprint(model: nn.Module) -> dict[str, Any]:
    """``parameters``; ``size_mb`` of weights and buffers; ``peak_memory_mb`` of this process, from
    its start; where there is a GPU, ``peak_gpu_memory_mb``. A MB is a million bytes."""
    tensors = chain(model.parameters(), model.buffers())
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    in_bytes = resident if sys.platform == "darwin" else 1024 * resident
    found = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "size_mb": _megabytes(sum(each.numel() * each.element_size() for each in tensors)),
        "peak_memory_mb": _megabytes(in_bytes),
    }
    if torch.cuda.is_available():
        found["peak_gpu_memory_mb"] = _megabytes(torch.cuda.max_memory_allocated())
    return found


def _megabytes(size: int) -> float:
    return round(size / 1e6, 1)
