"""What every encoder promises to the recogniser around it."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, nn

from kaskad.audio.masks import Count

# The number of a layer, from 1 on, and what came out of it: (batch, frames', dim'), (batch,).
LayerListener = Callable[[int, Tensor, Tensor], None]


class Encoder(nn.Module):
    """``forward(features (batch, frames, bins), lengths (batch,)) -> (encoded
    (batch, frames', dim), lengths' (batch,))``, where ``frames' = frame_count(frames)``.

    Padding never changes a result: alone or in a batch, the output of an utterance is the same.

    An encoder says layer by layer what comes out (``layer_outputs``) and how wide that is
    (``layer_dims``); ``listener`` then hears each. One that is a single piece overrides ``forward``
    instead.
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
