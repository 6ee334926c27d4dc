"""What every encoder promises to the recogniser around it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from kaskad.audio.masks import Count

# The number of a layer, from 1 on, and what came out of it: (batch, frames', dim'), (batch,).
LayerListener = Callable[[int, Tensor, Tensor], None]
State = tuple[Any, ...]  # tensors, and tuples of these: what an encoder remembers of an utterance
# Why an encoder that could stream does not.
BACKWARDS = "it runs backwards as well (train it with model.encoder.bidirectional=false)"


class Encoder(nn.Module):
    """``forward(features (batch, frames, bins), lengths (batch,)) -> (encoded
    (batch, frames', dim), lengths' (batch,))``, where ``frames' = frame_count(frames)``.

    Padding never changes a result: alone or in a batch, the output of an utterance is the same.

    An encoder says layer by layer what comes out (``layer_outputs``) and how wide that is
    (``layer_dims``); ``listener`` then gets each. One that is a single piece overrides ``forward``
    instead. One that streams has ``step`` as well.
    """

    dim: int
    time_reduction: int
    layer_dims: Sequence[int] = ()
    listener: LayerListener | None = None

    def frame_count(self, frames: Count) -> Count:
        """Frames that come out for ``frames`` that go in: one for each ``time_reduction`` begun."""
        return -(-frames // self.time_reduction)

    def rate_scales(self) -> dict[str, float]:
        """What the learning rate of a weight is multiplied by, by its name; 1 where it is not
        named."""
        return {}

    def load_pretrained(self) -> None:
        """Take weights that others trained, where a training begins; here there are none."""

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What comes out of each layer, and its lengths; that of the last is the result."""
        raise NotImplementedError

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        encoded = features, lengths
        for number, encoded in enumerate(self.layer_outputs(features, lengths), start=1):
            if self.listener is not None:
                self.listener(number, *encoded)
        return encoded

    @property
    def why_not_streaming(self) -> str | None:
        """What keeps ``step`` from working, and which setting changes it; ``None``: nothing."""
        return "its encoder needs whole utterances (model=cnn2d_lstm_streaming has another)"

    def beginning(self) -> State:
        """The state of one utterance of which no frame was seen: what ``step`` starts from, all
        zeros."""
        raise NotImplementedError

    def step(
        self, features: Tensor, state: State | None = None, *, is_last: bool = False
    ) -> tuple[Tensor, State]:
        """Encode the next frames of utterances, as ``forward`` does the whole of them.

        Args:
            features: (batch, frames, bins), any number of frames, without padding between parts.
            state: What the part before returned; ``None`` at the beginning.
            is_last: No more frames come: give what was held back for what they would say.

        Returns:
            The frames (batch, frames', dim) that are complete by now, and the state to go on with.
        """
        raise NotImplementedError
