"""Jasper and QuartzNet: blocks of 1-D convolutions over time, with residual connections.

Before every convolution that looks at more than one frame, what stands beyond the end of an
utterance is set to zero, so that padding never changes a result.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kaskad.audio.masks import padding_mask
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.layers.conv_blocks import Block, Stage


class ConvolutionalEncoder(Encoder):
    """A convolution of stride 2, residual blocks of five kinds, and two convolutions at the end.

    ``stages`` has a line for each of these eight. There are ``blocks`` blocks, as many of each
    kind, and ``repeats`` convolutions in each; ``width`` times the paper's filters; and
    ``dropout`` is the share of values left out after each convolution. With ``dense`` not only the
    input of a block is added to its output, but what every block before it gave. Raises ValueError
    for a number of blocks that the five kinds cannot share equally.
    """

    time_reduction = 2
    stages: Sequence[Stage]
    separable: bool

    def __init__(
        self,
        input_size: int,
        blocks: int,
        repeats: int,
        width: float = 1.0,
        dense: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        first, *kinds, last, pointwise = (
            Stage(stage.kernel_size, round(stage.filters * width), stage.dropout * dropout)
            for stage in self.stages
        )
        if blocks < len(kinds) or blocks % len(kinds):
            raise ValueError(
                f"blocks is {blocks}; it must be a multiple of {len(kinds)}, for there are "
                f"{len(kinds)} kinds of blocks, as many of each"
            )
        self.dense = dense
        self.first = Block(input_size, first, stride=2, separable=self.separable)
        self.blocks = nn.ModuleList()
        sources = [first.filters]
        for kind in kinds:
            for _ in range(blocks // len(kinds)):
                block = Block(sources[-1], kind, repeats, sources, separable=self.separable)
                self.blocks.append(block)
                sources = [*sources, kind.filters] if dense else [kind.filters]
        self.last = Block(sources[-1], last, dilation=2, separable=self.separable)
        self.pointwise = Block(last.filters, pointwise)
        self.dim = pointwise.filters
        self.layer_dims = [kind.filters for kind in kinds for _ in range(blocks // len(kinds))]
        self.layer_dims.append(self.dim)

    def layer_outputs(self, features: Tensor, lengths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        maps = features.transpose(1, 2)  # (batch, bins, frames)
        maps = self.first(maps, padding_mask(lengths, maps.shape[2])[:, None])
        lengths = self.frame_count(lengths)
        outside = padding_mask(lengths, maps.shape[2])[:, None]
        sources = [maps]
        for block in self.blocks:
            maps = block(maps, outside, sources)
            sources = [*sources, maps] if self.dense else [maps]
            yield maps.transpose(1, 2), lengths
        maps = self.pointwise(self.last(maps, outside), outside)
        yield maps.transpose(1, 2), lengths


class QuartzNet(ConvolutionalEncoder):
    """QuartzNet BxR: separable convolutions, which look far and weigh little.

    Source: Kriman et al., "QuartzNet: Deep Automatic Speech Recognition with 1D Time-Channel
    Separable Convolutions" (2019), table 1. The paper's are 5x5, 10x5 and 15x5.
    """

    separable = True
    stages = (
        Stage(33, 256),
        Stage(33, 256),
        Stage(39, 256),
        Stage(51, 512),
        Stage(63, 512),
        Stage(75, 512),
        Stage(87, 512),
        Stage(1, 1024),
    )


class Jasper(ConvolutionalEncoder):
    """Jasper BxR; if ``dense``, Jasper DR. Dropout doubles on the way.

    Source: Li et al., "Jasper: An End-to-End Convolutional Neural Acoustic Model" (2019), table 1
    and section 2.2. The paper's largest is 10x5, with a dropout of 0.2 to 0.4.
    """

    separable = False
    stages = (
        Stage(11, 256),
        Stage(11, 256),
        Stage(13, 384),
        Stage(17, 512),
        Stage(21, 640, dropout=1.5),
        Stage(25, 768, dropout=1.5),
        Stage(29, 896, dropout=2.0),
        Stage(1, 1024, dropout=2.0),
    )
