"""A recogniser that decodes while somebody speaks, its state carried from part to part."""

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from kaskad.audio.features import Features
from kaskad.audio.streaming import FeatureStream, Resampler
from kaskad.decoding.ctc_decoder import Decoder
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.streaming import StreamDecoder, StreamHypothesis
from kaskad.models.ctc_losses import log_probabilities

if TYPE_CHECKING:
    from kaskad.data.batch import Batch
    from kaskad.models.ctc import CTCRecogniser
    from kaskad.models.encoders.encoder import State
    from kaskad.models.recogniser import Recogniser

HEARS_WHOLE_UTTERANCES = (
    "needs whole utterances: only a recogniser with CTC decodes while somebody speaks, as "
    "model=cnn2d_lstm_streaming"
)


class StreamingError(ValueError):
    """A recogniser cannot decode while somebody speaks; the message names what to change."""


def require_streaming(recogniser: "CTCRecogniser") -> None:
    """Raise ``StreamingError`` where something in a recogniser needs the whole utterance."""
    faults = [_of_features(recogniser.features), recogniser.encoder.why_not_streaming]
    if any(faults):
        raise StreamingError(
            "this model cannot decode while somebody speaks: " + "; ".join(filter(None, faults))
        )


def _of_features(features: Features) -> str | None:
    if features.reach is None:
        return "its features are those of whole utterances (features=log_mel has others)"
    if not features.normalisation.is_causal:
        return "its features are brought to the level of the utterance (features.normalise=running)"
    return None


def decode_in_chunks(recogniser: "Recogniser", samples: int) -> None:
    """Have a recogniser decode each utterance as a stream of chunks of so many ``samples``.

    Raises ``StreamingError`` where it cannot.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise StreamingError(f"streaming.chunk={samples}: it is a number of samples, as 4096")
    recogniser.stream()

    def decode(batch: "Batch") -> list[Hypothesis]:
        hypotheses: list[Hypothesis] = []
        for waveform, length in zip(batch.waveforms, batch.waveform_lengths.tolist(), strict=True):
            stream = recogniser.stream()
            for chunk in waveform[:length].split(samples):
                stream.push(chunk)
            hypotheses.append(stream.finish())
        return hypotheses

    recogniser.decode = decode  # type: ignore[method-assign]


class Stream:
    """Decodes audio that arrives in parts, with a hypothesis after each.

    ``push`` the samples as they come, any number of them, then ``finish``. However they are cut,
    the posteriors are those of the whole recording. Where nobody speaks for ``endpoint`` seconds
    an utterance ends (``None``: where the audio does); ``take_ended`` gives those away that have,
    so that the hypothesis does not grow for ever.

    Args:
        recogniser: What decodes.
        sample_rate: Of the samples that come, in Hz; any other than its own is resampled.
        endpoint: Seconds of silence after which an utterance has ended.

    Raises:
        StreamingError: If the recogniser needs whole utterances.
        AudioError: If there is no such sample rate.
    """

    def __init__(
        self, recogniser: "CTCRecogniser", sample_rate: int, endpoint: float | None = None
    ) -> None:
        require_streaming(recogniser)
        recogniser.eval()
        self.sample_rate = sample_rate
        self._recogniser = recogniser
        self._resampler = Resampler(sample_rate, recogniser.features.sample_rate)
        self._features = FeatureStream(recogniser.features, recogniser.device)
        self._state: State | None = None
        self._decoder = StreamDecoder(cast(Decoder, recogniser.decoder), endpoint)

    def push(self, samples: np.ndarray | Tensor) -> StreamHypothesis:
        """Decode the next samples, and return the hypothesis so far.

        Args:
            samples: (samples,) or (samples, channels), integers or floats from -1 to 1.

        Raises:
            AudioError: If they are no audio; the stream can go on without them.
        """
        self._decoder.push(self.posteriors(self._resampler.push(samples)))
        return self.hypothesis

    def finish(self) -> StreamHypothesis:
        """Return the final hypothesis, all of it stable: no more samples come."""
        self._decoder.push(self.posteriors(self._resampler.finish(), is_last=True))
        self._decoder.finish()
        return self.hypothesis

    @property
    def hypothesis(self) -> StreamHypothesis:
        """The hypothesis so far, without what ``take_ended`` returned."""
        return self._decoder.hypothesis

    def take_ended(self) -> list[Hypothesis]:
        """The utterances that have ended since this was last asked, given away."""
        return self._decoder.take_ended()

    @torch.inference_mode()
    def posteriors(self, waveform: np.ndarray, *, is_last: bool = False) -> Tensor:
        """The log-probabilities (frames, labels) that a next part (samples,) of the waveform
        completes, at the sample rate of the recogniser."""
        parts = [self._features.push(waveform)]
        if is_last:
            parts.append(self._features.finish())
        encoder = self._recogniser.encoder
        encoded, self._state = encoder.step(torch.cat(parts)[None], self._state, is_last=is_last)
        return log_probabilities(self._recogniser.head, encoded)[0]
