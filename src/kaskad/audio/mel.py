"""Triangular filters on the mel scale, for any length of the vocal tract."""

import torch
from torch import Tensor

KNEE = 0.8  # share of the highest frequency beyond which a warped axis bends back to reach it


def mel_filters(
    frequencies: Tensor, bins: int, low: float, high: float, warp: float = 1.0
) -> Tensor:
    """Return (frequencies, bins), how much of each frequency a bin takes in.

    With ``warp`` the axis is stretched first: the voice of a vocal tract ``warp`` times as short.
    Sources: O'Shaughnessy, "Speech Communication" (1987), for the scale; Jaitly and Hinton, "Vocal
    Tract Length Perturbation" (2013), for the warp.

    Args:
        frequencies: (frequencies,) of the spectrum, in Hz.
        bins: how many filters.
        low: lowest frequency of the first filter, in Hz.
        high: highest frequency of the last filter, in Hz.
        warp: above 1 moves the spectrum up, below 1 down.
    """
    ends = _mel(torch.tensor([low, high]))
    corners = _hertz(torch.linspace(ends[0], ends[1], bins + 2))
    return triangles(warped_axis(frequencies, high, warp), corners)


def warped_axis(frequencies: Tensor, high: float, warp: float) -> Tensor:
    """Frequencies (frequencies,) in Hz, up to ``high``, as a vocal tract ``warp`` times as short
    would have them; see ``mel_filters``."""
    knee = KNEE * high * min(1.0, 1.0 / warp)
    beyond = high - (high - knee * warp) / (high - knee) * (high - frequencies)
    return torch.where(frequencies <= knee, frequencies * warp, beyond)


def triangles(frequencies: Tensor, corners: Tensor) -> Tensor:
    """Return (frequencies, bins): filters that rise from a corner to the next and fall to the one
    after that; ``corners`` (bins + 2,) in Hz."""
    rising = (frequencies[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies[:, None]) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0)


def mel_centres(bins: int, low: float, high: float) -> Tensor:
    """Return (bins,), the frequency in Hz at which each filter takes in most."""
    ends = _mel(torch.tensor([low, high]))
    return _hertz(torch.linspace(ends[0], ends[1], bins + 2))[1:-1]


def _mel(hertz: Tensor) -> Tensor:
    return 2595.0 * torch.log10(1.0 + hertz / 700.0)


def _hertz(mel: Tensor) -> Tensor:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
