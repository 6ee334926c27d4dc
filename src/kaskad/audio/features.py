"""Waveforms to features, on the device, a batch at a time.

All of them: ``(batch, samples), (batch,) -> (batch, frames, bins), (batch,)``, in float32 whatever
the precision of the run, and the same for an utterance alone or in a batch.
"""

import torch
import torchaudio
from torch import Tensor, nn

from kaskad.audio.masks import Count, padding_mask


def frame_count(samples: Count, hop: int) -> Count:
    """Frames of an utterance: one centred on every ``hop``-th sample, the first included."""
    return samples // hop + 1


class Features(nn.Module):
    """What every kind of features shares: float32, silence beyond the end, normalisation.

    Every bin of an utterance is brought to mean 0 and, with ``normalise``, variance 1 over its own
    frames, so loudness and channel do not matter.
    """

    bins: int

    def __init__(self, sample_rate: int, hop: float, normalise: bool) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop = round(hop * sample_rate)
        self.normalise = normalise

    def transform(self, waveforms: Tensor) -> Tensor:
        """Return (batch, bins, frames) for (batch, samples)."""
        raise NotImplementedError

    def frame_count(self, samples: Count) -> Count:
        """Frames of ``samples`` samples."""
        return frame_count(samples, self.hop)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(waveforms.device.type, enabled=False):
            features = self.transform(waveforms.float()).transpose(1, 2)
        lengths = self.frame_count(lengths)
        outside = padding_mask(lengths, features.shape[1])[:, :, None]
        features = features.masked_fill(outside, 0.0)
        count = lengths[:, None, None]
        centred = (features - features.sum(1, keepdim=True) / count).masked_fill(outside, 0.0)
        if self.normalise:
            centred = centred / (centred.square().sum(1, keepdim=True) / count + 1e-5).sqrt()
        return centred, lengths


class LogMel(Features):
    """Logarithm of the energy in mel bands, 0 Hz to half the sample rate.

    ``window`` and ``hop`` in seconds.
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 80,
        window: float = 0.025,
        hop: float = 0.01,
        normalise: bool = True,
    ) -> None:
        super().__init__(sample_rate, hop, normalise)
        self.bins = bins
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            sample_rate,
            n_fft=_fft_size(window, sample_rate),
            win_length=round(window * sample_rate),
            hop_length=self.hop,
            n_mels=bins,
            # Zeros, as in the padding of a batch: reflection would tell an utterance from its twin.
            pad_mode="constant",
        )

    def transform(self, waveforms: Tensor) -> Tensor:
        return (self.spectrogram(waveforms) + 1e-6).log()


class MFCC(Features):
    """Mel-frequency cepstral coefficients: the cosine transform of the log mel bands."""

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 40,
        mel_bands: int = 80,
        window: float = 0.025,
        hop: float = 0.01,
        normalise: bool = True,
    ) -> None:
        super().__init__(sample_rate, hop, normalise)
        self.bins = bins
        self.cepstra = torchaudio.transforms.MFCC(
            sample_rate,
            n_mfcc=bins,
            log_mels=True,
            melkwargs={
                "n_fft": _fft_size(window, sample_rate),
                "win_length": round(window * sample_rate),
                "hop_length": self.hop,
                "n_mels": mel_bands,
                "pad_mode": "constant",
            },
        )

    def transform(self, waveforms: Tensor) -> Tensor:
        return self.cepstra(waveforms)


class Precomputed(Features):
    """Features that a corpus comes with: (batch, frames, bins) where others have waveforms.

    ``sample_rate`` is their frames a second. Raises ``ValueError`` on frames of other ``bins``.
    """

    def __init__(self, sample_rate: int = 100, bins: int = 13, normalise: bool = True) -> None:
        super().__init__(sample_rate, 1 / sample_rate, normalise)
        self.bins = bins

    def transform(self, waveforms: Tensor) -> Tensor:
        if waveforms.shape[2] != self.bins:
            raise ValueError(
                f"the frames of the corpus have {waveforms.shape[2]} values, and those of "
                f"features=precomputed {self.bins}: train with features.bins={waveforms.shape[2]}"
            )
        return waveforms.transpose(1, 2)

    def frame_count(self, samples: Count) -> Count:
        return samples


def _fft_size(window: float, sample_rate: int) -> int:
    """The next power of two: the fast sizes."""
    return 1 << (round(window * sample_rate) - 1).bit_length()
