"""Cepstra as CMU Sphinx computes them, for corpora that come as such, and audio to go with them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kaskad.audio.augment.variation import Variation
from kaskad.audio.features import Features
from kaskad.audio.masks import Count, padding_mask
from kaskad.audio.normalise import Normalisation

FULL_SCALE = 32_768.0  # Sphinx has 16-bit samples where others have [-1, 1]
PRE_EMPHASIS = 0.97
FLOOR = 1e-4  # added to every energy, whose logarithm is taken


class SphinxMFCC(Features):
    """What ``sphinx_fe`` writes by default: pre-emphasis, Hamming windows, triangular mel filters
    of unit area, its own ("legacy") cosine transform; the first coefficient stands for the energy.

    Frames begin on every ``hop``, and the last one may be cut short; an utterance shorter than a
    window has one. As in pocketsphinx 5, ``fe_interface.c``, ``fe_sigproc.c``. Frequency warps of
    ``vary`` have no part in it.

    Args:
        sample_rate: in Hz.
        bins: coefficients.
        mel_bands: bands that they are computed from.
        window: seconds that a frame looks at.
        hop: seconds from one frame to the next.
        low: the lowest frequency of the first band, in Hz.
        high: the highest frequency of the last band, in Hz.
        normalise: as in ``Features``.
        vary: as in ``Features``.

    Raises:
        ValueError: If the frequencies do not lie between 0 and half the sample rate.
    """

    filters: Tensor
    cosines: Tensor
    hamming: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 13,
        mel_bands: int = 40,
        window: float = 0.025625,
        hop: float = 0.01,
        low: float = 133.33334,
        high: float = 6855.4976,
        normalise: str | Normalisation = "bins",
        vary: Variation | None = None,
    ) -> None:
        super().__init__(sample_rate, hop, bins, normalise, vary)
        if not 0 <= low < high <= sample_rate / 2:
            raise ValueError(
                f"features.low is {low:g} and features.high {high:g} Hz: they must lie between 0 "
                f"and {sample_rate / 2:g} Hz, half the sample rate, and low below high"
            )
        self.window = round(window * sample_rate)
        self.size = 1 << (self.window - 1).bit_length()
        places = torch.arange(self.window, dtype=torch.float64)
        hamming = 0.54 - 0.46 * (2 * math.pi * places / (self.window - 1)).cos()
        frequency = sample_rate / self.size
        parts = {
            "hamming": hamming,
            "filters": mel_filters(self.size // 2 + 1, frequency, mel_bands, low, high),
            "cosines": legacy_cosines(mel_bands, bins),
        }
        for name, values in parts.items():
            self.register_buffer(name, values.float(), persistent=False)

    def frame_count(self, samples: Count) -> Count:
        whole = (samples - self.window) // self.hop + 1
        return whole * (samples >= self.window) + 1

    def energies(self, waveforms: Tensor) -> Tensor:
        frames = waveforms.unfold(1, self.window, self.hop) * self.hamming
        spectra = torch.fft.rfft(frames, n=self.size).abs().square()
        return (spectra @ self.filters + FLOOR).log()

    def transform(self, energies: Tensor) -> Tensor:
        return energies @ self.cosines

    def _arranged(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        samples = FULL_SCALE * waveforms.float()
        emphasised = samples - PRE_EMPHASIS * F.pad(samples, (1, -1))
        emphasised = emphasised.masked_fill(padding_mask(lengths, samples.shape[1]), 0.0)
        # Room for the last frame of the longest, which begins within it.
        return super()._arranged(F.pad(emphasised, (0, self.window)), lengths)


def mel_filters(count: int, spacing: float, bands: int, low: float, high: float) -> Tensor:
    """Triangles over ``count`` frequencies, ``spacing`` Hz apart, each of area 1: (count, bands).

    Their corners lie evenly in mel, and then on the nearest of the frequencies.
    """
    lowest, highest = (2595.0 * math.log10(1.0 + hz / 700.0) for hz in (low, high))
    mels = torch.linspace(lowest, highest, bands + 2, dtype=torch.float64)
    corners = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    corners = spacing * (corners / spacing + 0.5).floor()
    frequencies = spacing * torch.arange(count, dtype=torch.float64)[:, None]
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies - left) / (middle - left)
    falling = (right - frequencies) / (right - middle)
    return torch.minimum(rising, falling).clamp(min=0.0) * 2.0 / (right - left)


def legacy_cosines(bands: int, count: int) -> Tensor:
    """The cosine transform of Sphinx: half of the first band, and all over their number: (bands,
    count)."""
    places = torch.arange(bands, dtype=torch.float64)[:, None] + 0.5
    cosines = (math.pi / bands * places * torch.arange(count)).cos()
    cosines[0] /= 2.0
    return cosines / bands
