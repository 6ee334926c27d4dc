"""Waveforms to features, on the device, a batch at a time.

All of them: ``(batch, samples), (batch,) -> (batch, frames, bins), (batch,)``, in float32 whatever
the precision of the run, and the same for an utterance alone or in a batch. There are as many
frames as the longest utterance has, rounded up to a multiple of 8: fewer different shapes, for each
of which PyTorch keeps memory.
"""

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from kaskad.audio.augment.variation import Variation
from kaskad.audio.masks import Count
from kaskad.audio.mel import mel_filters
from kaskad.audio.normalise import FromCorpus, Normalisation, make_normalisation

SILENCE = 1e-6  # added to every energy, whose logarithm is taken
WHOLE = 8  # the number of frames of a batch is a multiple of this


def frame_count(samples: Count, hop: int) -> Count:
    """Frames of an utterance: one centred on every ``hop``-th sample, the first included."""
    return samples // hop + 1


class Features(nn.Module):
    """What every kind of features shares: float32, variation in training, normalisation.

    Args:
        sample_rate: in Hz.
        hop: seconds from one frame to the next.
        bins: values in a frame.
        normalise: the name of a normalisation, as in ``kaskad.audio.normalise``, or one that is
            ready.
        vary: how log energies are varied in training.
    """

    # Samples that a frame of a waveform reaches to either side; ``None`` where features need the
    # whole of an utterance, and cannot be taken from a part.
    reach: int | None = None

    def __init__(
        self,
        sample_rate: int,
        hop: float,
        bins: int,
        normalise: str | Normalisation,
        vary: Variation | None = None,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop = round(hop * sample_rate)
        self.bins = bins
        self.vary = vary
        self.normalisation = make_normalisation(normalise, bins)

    def energies(self, waveforms: Tensor) -> Tensor:
        """Log energies (batch, frames, bands) of (batch, samples), or what stands for them."""
        raise NotImplementedError

    def energies_of(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """As ``energies``, of those that look at where an utterance ends."""
        return self.energies(waveforms)

    def whole_frames(self, waveforms: Tensor) -> Tensor:
        """Log energies as ``energies`` has them, of the frames that lie wholly in (batch, samples).

        A frame lies from ``reach`` samples before its centre to as many after it.
        """
        raise NotImplementedError

    def arrange(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the frames that count: all of them, unless a subclass has another opinion."""
        return energies, lengths

    def transform(self, energies: Tensor) -> Tensor:
        """Take (batch, frames, bands) to (batch, frames, bins)."""
        return energies

    def loudness(self, energies: Tensor) -> Tensor:
        """The logarithm of the energy (batch, frames), for finding speech."""
        return energies.logsumexp(2)

    def frame_count(self, samples: Count) -> Count:
        """Frames of ``samples`` samples."""
        return frame_count(samples, self.hop)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(waveforms.device.type, enabled=False):
            return self.in_float32(waveforms, lengths)

    def in_float32(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As ``forward``, where nothing else chooses the precision: in a graph that is exported."""
        return self.normalised(*self._arranged(waveforms, lengths))

    @property
    def corpus_is_missing(self) -> bool:
        """Whether statistics of the training corpus are still needed for the normalisation."""
        normalisation = self.normalisation
        return isinstance(normalisation, FromCorpus) and not bool(normalisation.corpus.known)

    @torch.no_grad()
    def observe(self, waveforms: Tensor, lengths: Tensor) -> None:
        """Take in training audio for a normalisation that needs statistics of it."""
        assert isinstance(self.normalisation, FromCorpus)
        energies, lengths = self._arranged(waveforms, lengths)
        features = self.transform(energies)
        self.normalisation.corpus.observe(features, lengths, self.loudness(energies))

    def finish_observing(self) -> None:
        """Normalise by what was observed from here on."""
        assert isinstance(self.normalisation, FromCorpus)
        self.normalisation.corpus.finish()

    def _arranged(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        energies = self.energies_of(waveforms.float(), lengths)
        lengths = self.frame_count(lengths)
        vary = self.vary if self.training else None
        if vary is not None:
            energies, lengths = vary.timing(energies, lengths)
        energies, lengths = self.arrange(energies, lengths)
        return (energies if vary is None else vary.recording(energies, lengths)), lengths

    def normalised(self, energies: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the net is given of energies (batch, frames, bands), and lengths (batch,)."""
        energies = F.pad(energies, (0, 0, 0, -energies.shape[1] % WHOLE))
        loudness = self.loudness(energies)
        return self.normalisation(self.transform(energies), lengths, loudness), lengths


class LogMel(Features):
    """Logarithm of the energy in mel bands.

    Args:
        sample_rate: in Hz.
        bins: mel bands.
        window: seconds that a frame looks at.
        hop: seconds from one frame to the next.
        low: the lowest frequency of the first band, in Hz.
        high: the highest frequency of the last band, in Hz (``None``: half the sample rate).
        dither: dB below full scale of white noise whose mean energy is added to every band, so that
            digital silence looks like a quiet room (``None``: none). It is not random: features of
            the same audio are the same.
        normalise: as in ``Features``.
        vary: as in ``Features``.
    """

    filters: Tensor
    warped: Tensor | None
    floor: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 80,
        window: float = 0.025,
        hop: float = 0.01,
        low: float = 0.0,
        high: float | None = None,
        dither: float | None = None,
        normalise: str | Normalisation = "bins",
        vary: Variation | None = None,
    ) -> None:
        super().__init__(sample_rate, hop, bins, normalise, vary)
        self._make_filters(bins, window, low, high, dither)

    def _make_filters(
        self, bands: int, window: float, low: float, high: float | None, dither: float | None
    ) -> None:
        nyquist = self.sample_rate / 2
        high = nyquist if high is None else high
        if not 0 <= low < high <= nyquist:
            raise ValueError(
                f"features.low is {low:g} and features.high {high:g} Hz: they must lie between 0 "
                f"and {nyquist:g} Hz, half the sample rate, and low below high"
            )
        samples = round(window * self.sample_rate)
        size = 1 << (samples - 1).bit_length()  # the next power of two: the fast sizes
        self.spectrogram = torchaudio.transforms.Spectrogram(
            n_fft=size,
            win_length=samples,
            hop_length=self.hop,
            # Zeros, as in the padding of a batch: reflection would tell an utterance from its twin.
            pad_mode="constant",
        )
        self.reach = size // 2
        frequencies = torch.linspace(0, nyquist, size // 2 + 1)
        warps = self.vary.warps if self.vary is not None else []
        # Made anew with the features: no part of a checkpoint.
        self.register_buffer(
            "filters", mel_filters(frequencies, bands, low, high), persistent=False
        )
        self.register_buffer(
            "warped",
            torch.stack([mel_filters(frequencies, bands, low, high, warp) for warp in warps])
            if warps
            else None,
            persistent=False,
        )
        noise = 10 ** (dither / 10) * torch.hann_window(samples).square().sum() if dither else 0.0
        self.register_buffer("floor", noise * self.filters.sum(0) + SILENCE, persistent=False)

    def energies(self, waveforms: Tensor) -> Tensor:
        return self.in_bands(self.spectrogram(waveforms))

    def whole_frames(self, waveforms: Tensor) -> Tensor:
        made = self.spectrogram
        spectra = torchaudio.functional.spectrogram(
            waveforms,
            pad=0,
            window=made.window,
            n_fft=made.n_fft,
            hop_length=made.hop_length,
            win_length=made.win_length,
            power=made.power,
            normalized=made.normalized,
            center=False,
        )
        return self.in_bands(spectra)

    def in_bands(self, spectra: Tensor) -> Tensor:
        """Log energies (batch, frames, bands) of spectra (batch, frequencies, frames)."""
        filters = self.drawn_filters(len(spectra))
        return (spectra.transpose(1, 2) @ filters + self.floor).log()

    def drawn_filters(self, utterances: int) -> Tensor:
        """The filters (frequencies, bands); in training, for each utterance those of a voice."""
        if not self.training or self.warped is None:
            return self.filters
        drawn = torch.randint(len(self.warped), (utterances,), device=self.filters.device)
        return self.warped[drawn]


class MFCC(LogMel):
    """Mel-frequency cepstral coefficients: the cosine transform of the log mel bands.

    ``bins`` coefficients of ``mel_bands`` bands; the rest is as in ``LogMel``.
    """

    cosines: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bins: int = 40,
        mel_bands: int = 80,
        window: float = 0.025,
        hop: float = 0.01,
        low: float = 0.0,
        high: float | None = None,
        dither: float | None = None,
        normalise: str | Normalisation = "bins",
        vary: Variation | None = None,
    ) -> None:
        Features.__init__(self, sample_rate, hop, bins, normalise, vary)
        self._make_filters(mel_bands, window, low, high, dither)
        cosines = torchaudio.functional.create_dct(bins, mel_bands, norm="ortho")
        self.register_buffer("cosines", cosines, persistent=False)

    def transform(self, energies: Tensor) -> Tensor:
        return energies @ self.cosines


class Precomputed(Features):
    """Features that a corpus comes with: (batch, frames, bins) where others have waveforms.

    ``sample_rate`` is their frames a second. They are no energies: every frame counts as speech,
    and what varies energies in training is refused. Raises ``ValueError`` on frames of other
    ``bins``.
    """

    def __init__(
        self,
        sample_rate: int = 100,
        bins: int = 13,
        normalise: str | Normalisation = "bins",
        vary: Variation | None = None,
    ) -> None:
        if vary is not None:
            raise ValueError(
                "augment.energies varies log energies, and features=precomputed are none: take "
                "augment=spec or augment=none"
            )
        super().__init__(sample_rate, 1 / sample_rate, bins, normalise)

    def energies(self, waveforms: Tensor) -> Tensor:
        if waveforms.shape[2] != self.bins:
            raise ValueError(
                f"the frames of the corpus have {waveforms.shape[2]} values, and those of "
                f"features=precomputed {self.bins}: train with features.bins={waveforms.shape[2]}"
            )
        return waveforms

    def loudness(self, energies: Tensor) -> Tensor:
        return torch.zeros_like(energies[:, :, 0])

    def frame_count(self, samples: Count) -> Count:
        return samples
