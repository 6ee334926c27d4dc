"""A recogniser that decodes while somebody speaks, as a graph: its state goes in and comes out."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from kaskad.audio.features import LogMel
from kaskad.audio.normalise import Running
from kaskad.export.posterior_net import ExportError, MatrixSpectrogram, require_ctc
from kaskad.models.recogniser import Recogniser
from kaskad.models.streaming import StreamingError, require_streaming

MOST_CHUNKS = 100  # hops of samples, of which one of these numbers completes a first frame


class StreamingNet(nn.Module):
    """``forward(samples (1, samples), is_last (), *state) -> (log-probabilities (1, frames,
    labels), *state)``, as the posteriors of a ``Stream``; a copy of a recogniser's parts.

    Every state begins as zeros: ``state`` has them. ``smallest`` is the number of samples that each
    part has at least, but for the last, which may have none and comes with ``is_last`` 1.

    Raises ``ExportError`` for a recogniser that needs whole utterances.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        parts = copy.deepcopy(require_ctc(recogniser)).eval().float().cpu()
        try:
            require_streaming(parts)
        except StreamingError as error:
            raise ExportError(f"{error}; or take format=onnx") from None
        assert isinstance(parts.features, LogMel)  # the others have no reach
        self.features, self.encoder, self.head = parts.features, parts.encoder, parts.head
        self.spectrogram = MatrixSpectrogram(self.features.spectrogram)
        self.normalisation = self.features.normalisation
        if isinstance(self.normalisation, Running):
            self.normalisation = RunningInGraph.of(self.normalisation)
        self.eval()
        state = self.encoder.beginning()
        self.state = [torch.zeros(1, self.spectrogram.size // 2), torch.zeros(1, 4), *leaves(state)]
        self._form = state
        self.smallest = self._smallest()

    def forward(self, samples: Tensor, is_last: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        before, level, *encoder_state = state
        reach = self.spectrogram.size // 2
        after = torch.zeros(1, reach)[:, : reach * is_last]
        waveforms = torch.cat([before, samples, after], 1)
        energies = self.features.in_bands(self.spectrogram.whole_frames(waveforms))
        features, loudness = self.features.transform(energies), self.features.loudness(energies)
        if isinstance(self.normalisation, Running):
            zero = self.normalisation.beginning()
            features, known = self.normalisation.step(features, loudness, level + zero)
            level = known - zero
        else:
            features, _ = self.normalisation.step(features, loudness)
            level = level + 0.0
        encoded, encoder_next = self.encoder.step(
            features,
            formed(self._form, iter(encoder_state)),
            is_last=is_last,  # type: ignore[arg-type]  # a graph takes 0 or 1
        )
        rest = waveforms[:, energies.shape[1] * self.spectrogram.hop :]
        return self.head(encoded).log_softmax(dim=2), rest, level, *leaves(encoder_next)

    @torch.inference_mode()
    def _smallest(self) -> int:
        """How many samples complete a first frame, and with it any further one."""
        hop = self.spectrogram.hop
        for samples in range(hop, MOST_CHUNKS * hop, hop):
            frames = (samples - self.spectrogram.size // 2) // hop + 1
            if frames > 0:
                features = torch.zeros(1, frames, self.features.bins)
                if self.encoder.step(features, self.encoder.beginning())[0].shape[1] > 0:
                    return max(samples, hop * self.encoder.time_reduction)
        raise ExportError(
            f"a {type(self.encoder).__name__} gives nothing in {MOST_CHUNKS} frames of silence"
        )


class RunningInGraph(Running):
    """``Running`` without what graphs do not have: a running maximum, and blocks."""

    @classmethod
    def of(cls, running: Running) -> Self:
        """The same normalisation."""
        made = cls(len(running.corpus.mean), frames=running.frames)
        made.decay, made.corpus = running.decay, running.corpus
        return made

    def _highest_so_far(self, values: Tensor) -> Tensor:
        count = values.shape[1]
        later = torch.ones(count, count).triu(1) > 0
        return values[:, None].masked_fill(later, -torch.inf).amax(2)

    def _blocks(self, frames: Tensor) -> Sequence[Tensor]:
        return [frames]


def leaves(state: Any) -> Iterator[Tensor]:
    """The tensors of a state, one after the other."""
    if isinstance(state, Tensor):
        yield state
    else:
        for each in state:
            yield from leaves(each)


def formed(form: Any, tensors: Iterator[Tensor]) -> Any:
    """A state of this form, of these tensors."""
    if isinstance(form, Tensor):
        return next(tensors)
    return tuple(formed(each, tensors) for each in form)
