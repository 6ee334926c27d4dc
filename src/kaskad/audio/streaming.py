"""Audio that arrives in parts: resampled and made into features as if it had come at once."""

import numpy as np
import soxr
import torch
from torch import Tensor

from kaskad.audio.features import Features
from kaskad.audio.samples import to_waveform


class Resampler:
    """Samples of ``sample_rate`` Hz, part by part, into waveforms of ``wanted_rate`` Hz."""

    def __init__(self, sample_rate: int, wanted_rate: int) -> None:
        to_waveform(np.zeros(1, np.float32), sample_rate, sample_rate)  # refuses a wrong rate
        self.sample_rate = sample_rate
        self._stream = (
            None
            if sample_rate == wanted_rate
            else soxr.ResampleStream(sample_rate, wanted_rate, 1, dtype="float32")
        )

    def push(self, samples: np.ndarray | Tensor) -> np.ndarray:
        """Return what is certain of the waveform after these next samples.

        Args:
            samples: (samples,) or (samples, channels), integers or floats from -1 to 1.

        Raises:
            AudioError: Where they are no audio; nothing of them is taken then.
        """
        if len(samples) == 0:
            return np.zeros(0, np.float32)
        waveform = to_waveform(samples, self.sample_rate, self.sample_rate)
        if self._stream is None:
            return waveform
        resampled: np.ndarray = self._stream.resample_chunk(waveform)
        return resampled

    def finish(self) -> np.ndarray:
        """The rest of the waveform: no more samples come."""
        nothing = np.zeros(0, np.float32)
        if self._stream is None:
            return nothing
        rest: np.ndarray = self._stream.resample_chunk(nothing, last=True)
        return rest


class FeatureStream:
    """Features of one waveform, part by part: the same as those of the whole of it.

    ``features`` must be able to: their ``reach`` is known, and their normalisation is causal.
    """

    def __init__(self, features: Features, device: torch.device) -> None:
        assert features.reach is not None and features.normalisation.is_causal
        self.features = features
        self.device = device
        self._reach = features.reach
        # Samples that frames to come look at.
        self._waiting = torch.zeros(features.reach, device=device)
        self._state: Tensor | None = None
        self.samples = 0

    def push(self, waveform: np.ndarray) -> Tensor:
        """Return the features (frames, bins) that the next samples (samples,) complete."""
        self.samples += len(waveform)
        return self._frames(torch.from_numpy(waveform).to(self.device))

    def finish(self) -> Tensor:
        """The features (frames, bins) that look beyond the end; none of a waveform of no length."""
        if self.samples == 0:
            return torch.zeros(0, self.features.bins, device=self.device)
        return self._frames(torch.zeros(self._reach, device=self.device))

    def _frames(self, waveform: Tensor) -> Tensor:
        features = self.features
        waiting = torch.cat([self._waiting, waveform])
        frames = max(0, (len(waiting) - 2 * self._reach) // features.hop + 1)
        self._waiting = waiting[frames * features.hop :]
        if frames == 0:
            return torch.zeros(0, features.bins, device=self.device)
        energies = features.whole_frames(waiting[None])
        normalised, self._state = features.normalisation.step(
            features.transform(energies), features.loudness(energies), self._state
        )
        return normalised[0]
