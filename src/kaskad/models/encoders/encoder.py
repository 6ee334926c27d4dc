"""What every encoder promises to the recogniser around it."""

from torch import Tensor, nn

from kaskad.audio.masks import Count


class Encoder(nn.Module):
    """``forward(features (batch, frames, bins), lengths (batch,)) -> (encoded
    (batch, frames', dim), lengths' (batch,))``, where ``frames' = frame_count(frames)``.

    Padding never changes a result: alone or in a batch, the output of an utterance is the same.
    """

    dim: int
    time_reduction: int

    def frame_count(self, frames: Count) -> Count:
        """Frames that come out for ``frames`` that go in: one for each ``time_reduction`` begun."""
        return -(-frames // self.time_reduction)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError
