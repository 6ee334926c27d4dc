"""Log-mel bands as kaldi-native-fbank computes them for sherpa-onnx, frame by frame."""

import math

import torch
from torch import Tensor

from kaskad.audio.augment.variation import Variation
from kaskad.audio.features import Features, LogMel
from kaskad.audio.masks import Count
from kaskad.audio.mel import triangles, warped_axis
from kaskad.audio.normalise import Normalisation

WINDOW, HOP = 0.025, 0.010  # seconds; sherpa-onnx has no others
PREEMPHASIS = 0.97
LEAST = torch.finfo(torch.float32).eps  # of an energy
KNEE, STEP = 1000.0, math.log(6.4) / 27.0  # of Slaney's scale: linear below, then logarithmic


class KaldiLogMel(LogMel):
    """Logarithm of the energy in mel bands, so that sherpa-onnx computes what training did.

    A frame is centred half a hop after its first sample, the ends are mirrored, each frame is
    pre-emphasised by itself, and bands are those of Slaney's scale, of equal area. Source:
    kaldi-native-fbank, feature-window.cc and mel-computations.cc, with ``is_librosa``.

    Args:
        sample_rate: in Hz.
        bins: mel bands.
        normalise: as in ``Features``.
        vary: as in ``Features``.
    """

    fourier: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 80,
        normalise: str | Normalisation = "speech",
        vary: Variation | None = None,
    ) -> None:
        Features.__init__(self, sample_rate, HOP, bins, normalise, vary)
        self.length = round(WINDOW * sample_rate)
        self.size = 1 << (self.length - 1).bit_length()
        frequencies = torch.linspace(0, sample_rate / 2, self.size // 2 + 1)
        warps = vary.warps if vary is not None else []
        filters = [slaney_filters(frequencies, bins, warp) for warp in (1.0, *warps)]
        self.register_buffer("filters", filters[0], persistent=False)
        self.register_buffer("warped", torch.stack(filters[1:]) if warps else None, False)
        window = torch.hann_window(self.length, dtype=torch.float64)
        self.register_buffer("fourier", fourier_matrix(window, self.size).float(), False)

    def frame_count(self, samples: Count) -> Count:
        """Frames of ``samples`` samples: one for each hop, rounded."""
        return (samples + self.hop // 2) // self.hop

    def energies_of(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        starts = torch.arange(self.frame_count(waveforms.shape[1]), device=waveforms.device)
        first = starts * self.hop + self.hop // 2 - self.length // 2
        places = first[:, None] + torch.arange(self.length, device=waveforms.device)
        # Mirrored at both ends of each utterance, as often as it takes.
        around = 2 * lengths.clamp(min=1)[:, None, None]
        places = places.remainder(around)
        places = torch.minimum(places, around - 1 - places)
        frames = waveforms.gather(1, places.flatten(1)).unflatten(1, places.shape[1:])
        before = torch.cat([frames[:, :, :1], frames[:, :, :-1]], dim=2)
        framed = frames - PREEMPHASIS * before
        real, imaginary = (framed @ self.fourier).chunk(2, dim=2)
        spectra = real.square() + imaginary.square()
        return (spectra @ self.drawn_filters(len(waveforms))).clamp(min=LEAST).log()


def fourier_matrix(window: Tensor, size: int) -> Tensor:
    """The Fourier transform of ``size`` points of frames under a window, as a matrix (window,
    2 * (size // 2 + 1)): real parts, then imaginary ones. Every format of graphs has products."""
    time = torch.arange(len(window), dtype=window.dtype)[:, None]
    frequency = torch.arange(size // 2 + 1, dtype=window.dtype)
    angles = 2 * math.pi / size * (time * frequency % size)
    return torch.cat([angles.cos(), angles.sin()], dim=1) * window[:, None]


def slaney_filters(frequencies: Tensor, bins: int, warp: float = 1.0) -> Tensor:
    """Return (frequencies, bins): triangles of equal area on Slaney's mel scale, for frequencies
    (frequencies,) in Hz from 0 to the highest; ``warp`` as in ``mel_filters``."""
    high = float(frequencies[-1])
    corners = _hertz(torch.linspace(0.0, _mel(high), bins + 2, dtype=torch.float64)).float()
    filters = triangles(warped_axis(frequencies, high, warp), corners)
    return filters * 2.0 / (corners[2:] - corners[:-2])


def _mel(hertz: float) -> float:
    linear = KNEE * 3.0 / 200.0
    return hertz * 3.0 / 200.0 if hertz < KNEE else linear + math.log(hertz / KNEE) / STEP


def _hertz(mel: Tensor) -> Tensor:
    linear = KNEE * 3.0 / 200.0
    return torch.where(mel < linear, mel * 200.0 / 3.0, KNEE * ((mel - linear) * STEP).exp())
