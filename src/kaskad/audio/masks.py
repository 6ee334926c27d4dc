"""Which frames are padding."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Count = TypeVar("Count", int, Tensor, np.ndarray)


def padding_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return (batch, frames), True where a frame lies beyond its utterance."""
    return torch.arange(frames, device=lengths.device) >= lengths[:, None]
