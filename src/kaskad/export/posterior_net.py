"""What is exported: the way from samples, or from features, to log-probabilities, and nothing else.

Fourier transforms are written as one matrix product, which every format has.
"""

import copy
import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.transforms import Spectrogram

from kaskad.audio.features import Features, LogMel
from kaskad.audio.kaldi import KaldiLogMel
from kaskad.audio.normalise import Normalisation, Running
from kaskad.models.cascade import CascadeRecogniser
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser


class ExportError(ValueError):
    """A recogniser that cannot be exported in this form: says why, and what to do."""


class PosteriorNet(nn.Module):
    """``forward(waveforms (batch, samples), lengths (batch,)) -> (log-probabilities (batch, frames,
    labels), frames (batch,))``, as those of a recogniser with CTC; a copy of its parts.

    Raises ``ExportError`` for any other recogniser, and for features that no format can compute.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        parts = copy.deepcopy(require_ctc(recogniser)).eval().float().cpu()
        self.features = parts.features
        self.encoder = parts.encoder
        self.encoder.listener = None  # only training needs it
        self.head = parts.head
        if isinstance(parts, CascadeRecogniser) and isinstance(parts.head, nn.ModuleDict):
            self.head = parts.head[parts.encoder.branches[0]]
        self.features.normalisation = cast(Normalisation, exportable(self.features))
        if isinstance(self.features, LogMel) and not isinstance(self.features, KaldiLogMel):
            self.features.spectrogram = MatrixSpectrogram(self.features.spectrogram)
        self.eval()

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        encoded, lengths = self.encoder(*self.features.in_float32(waveforms, lengths))
        return self.head(encoded).log_softmax(dim=2), lengths


class NemoNet(nn.Module):
    """A recogniser as sherpa-onnx feeds models of NeMo: ``forward(audio_signal (batch, bins,
    frames), length (batch,)) -> logprobs (batch, frames', labels)``, the blank the last label.

    Log-mel bands come in; they are normalised here. Raises ``ExportError`` for a recogniser that
    was trained on others than sherpa-onnx computes.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        parts = PosteriorNet(recogniser)
        if not isinstance(parts.features, KaldiLogMel):
            raise ExportError(
                f"sherpa-onnx computes features of its own, and this recogniser was trained on "
                f"{type(parts.features).__name__}; train with features=kaldi, which are the same, "
                "or take format=onnx, which has its features within"
            )
        self.features, self.encoder, self.head = parts.features, parts.encoder, parts.head
        self.eval()

    def forward(self, audio_signal: Tensor, length: Tensor) -> Tensor:
        features, lengths = self.features.normalised(audio_signal.transpose(1, 2), length)
        log_probs = self.head(self.encoder(features, lengths)[0]).log_softmax(dim=2)
        return torch.cat([log_probs[:, :, 1:], log_probs[:, :, :1]], dim=2)


class MatrixSpectrogram(nn.Module):
    """``Spectrogram`` as a product of frames and a matrix: (batch, samples) -> (batch, frequencies,
    frames). In double precision, since the logarithm of weak bands is taken.

    The matrix, two thirds of a small recogniser, is not kept: a graph has its cosines alone, and
    onnxruntime puts them in their places once, as it loads it.
    """

    window: Tensor
    cosines: Tensor
    time: Tensor
    frequency: Tensor

    def __init__(self, spectrogram: Spectrogram) -> None:
        super().__init__()
        self.size, self.hop = spectrogram.n_fft, spectrogram.hop_length
        self.length = spectrogram.win_length
        self.before = (self.size - self.length) // 2
        whole = torch.arange(self.size, dtype=torch.float64)
        for name, values in {
            "window": spectrogram.window.double()[:, None],
            "cosines": (2 * math.pi / self.size * whole).cos(),
            "time": whole[: self.length, None],
            "frequency": whole[None, : self.size // 2 + 1],
        }.items():
            self.register_buffer(name, values)

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.whole_frames(F.pad(waveforms, (self.size // 2, self.size // 2)))

    def whole_frames(self, waveforms: Tensor) -> Tensor:
        """The spectra of the frames that lie wholly in (batch, samples)."""
        count = (waveforms.shape[1] - self.size) // self.hop + 1
        first = torch.arange(count)[:, None] * self.hop + self.before
        frames = waveforms[:, first + torch.arange(self.length)].double()
        place = (self.time @ self.frequency).long()
        real, imaginary = (
            frames @ (self.window * self.cosines[(place + turned) % self.size])
            for turned in (0, self.size // 4)
        )
        return (real.square() + imaginary.square()).float().transpose(1, 2)


def require_ctc(recogniser: Recogniser) -> CTCRecogniser:
    """The recogniser; raises ``ExportError`` unless it has posteriors frame by frame."""
    if not isinstance(recogniser, CTCRecogniser):
        raise ExportError(
            f"a {type(recogniser).__name__} cannot be exported: only recognisers with CTC "
            "(model=cnn2d_lstm, lstm, gru_ctc, quartznet, citrinet, cascade_lstm) have posteriors "
            "frame by frame"
        )
    return recogniser


def exportable(features: Features) -> nn.Module:
    """The normalisation of the features, if a graph can compute it."""
    if isinstance(features.normalisation, Running):
        raise ExportError(
            "features.normalise=running goes frame by frame, which no graph of a whole recording "
            "does: take format=onnx_streaming, or train with features.normalise=speech"
        )
    return features.normalisation
