"""2-D convolutions that compress time, and nothing after them: what a cascade may begin with."""

from torch import Tensor

from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.subsampling import Subsampling


class CNN2d(Encoder):
    """The two convolutions of ``CNN2dLSTM``, under the names that their weights have there.

    ``input_size`` bins come in and ``time_reduction`` frames become one; ``channels`` are the maps
    that each makes, ``kernel_size`` as in ``Subsampling``, which says what it raises.
    """

    def __init__(
        self,
        input_size: int,
        time_reduction: int = 2,
        channels: tuple[int, int] = (16, 16),
        kernel_size: int | tuple[int, int] = 3,
    ) -> None:
        super().__init__()
        self.time_reduction = time_reduction
        self.convolutions = Subsampling(input_size, time_reduction, channels, kernel_size)
        self.dim = self.convolutions.dim

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return self.convolutions(features, lengths)
