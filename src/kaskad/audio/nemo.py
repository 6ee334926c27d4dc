"""Log-mel bands as NeMo computes them for its QuartzNet: for models that others trained."""

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

from kaskad.audio.augment.variation import Variation
from kaskad.audio.features import Features, LogMel
from kaskad.audio.kaldi import PREEMPHASIS, slaney_filters
from kaskad.audio.masks import padding_mask
from kaskad.audio.normalise import Normalisation

LEAST = 2.0**-24  # added to every energy


class NemoLogMel(LogMel):
    """Logarithm of the energy in Slaney's mel bands of a pre-emphasised recording.

    Source: NeMo, FilterbankFeatures, with the settings of its QuartzNet; without its dither.

    Args:
        sample_rate: in Hz.
        bins: mel bands.
        window: seconds that a frame looks at.
        hop: seconds from one frame to the next.
        normalise: as in ``Features``; ``bins`` is what NeMo calls ``per_feature``.
        vary: as in ``Features``.
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 64,
        window: float = 0.02,
        hop: float = 0.01,
        normalise: str | Normalisation = "bins",
        vary: Variation | None = None,
    ) -> None:
        Features.__init__(self, sample_rate, hop, bins, normalise, vary)
        length = round(window * sample_rate)
        size = 1 << (length - 1).bit_length()
        self.spectrogram = torchaudio.transforms.Spectrogram(
            n_fft=size,
            win_length=length,
            hop_length=self.hop,
            window_fn=torch.hann_window,
            wkwargs={"periodic": False},
            pad_mode="constant",
        )
        frequencies = torch.linspace(0, sample_rate / 2, size // 2 + 1)
        warps = vary.warps if vary is not None else []
        filters = [slaney_filters(frequencies, bins, warp) for warp in (1.0, *warps)]
        self.register_buffer("filters", filters[0], persistent=False)
        self.register_buffer("warped", torch.stack(filters[1:]) if warps else None, False)

    def energies_of(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        before = F.pad(waveforms[:, :-1], (1, 0))
        emphasised = waveforms - PREEMPHASIS * before
        outside = padding_mask(lengths, waveforms.shape[1])
        spectra = self.spectrogram(emphasised.masked_fill(outside, 0.0)).transpose(1, 2)
        return (spectra @ self.drawn_filters(len(waveforms)) + LEAST).log()
