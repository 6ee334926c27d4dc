"""A cascade of LSTMs: a subnet for each language, and layers that all languages share."""

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor, nn

from kaskad.models.encoders.encoder import Encoder
from kaskad.models.encoders.recurrent import RecurrentEncoder
from kaskad.models.layers.rnn import LSTM, RecurrentOptions


class CascadeLSTM(Encoder):
    """``layers`` layers of LSTM for each of the ``branches``, then ``shared_layers`` for all.

    ``input_size`` bins come in; ``time_reduction`` neighbouring frames are stacked into one; all
    layers are ``recurrent`` ones as ``RecurrentLayers`` has them. The first branch is that of the
    language which is recognised; the others help the shared layers to learn. One branch alone is a
    flat net of ``layers + shared_layers``, a ``RecurrentEncoder``.
    """

    def __init__(
        self,
        input_size: int,
        branches: Sequence[str],
        time_reduction: int = 1,
        layers: int = 2,
        shared_layers: int = 2,
        **recurrent: Unpack[RecurrentOptions],
    ) -> None:
        super().__init__()
        self.time_reduction = time_reduction
        subnets = [
            RecurrentEncoder(input_size, "lstm", time_reduction, layers=layers, **recurrent)
            for _ in branches
        ]
        self.subnets = nn.ModuleDict(zip(branches, subnets, strict=True))
        self.shared = LSTM(subnets[0].dim, shared_layers, **recurrent)
        self.dim = self.shared.dim

    @property
    def branches(self) -> list[str]:
        """The names of the subnets, that of the language which is recognised first."""
        return [*self.subnets]

    def forward(
        self, features: Tensor, lengths: Tensor, branch: str | None = None
    ) -> tuple[Tensor, Tensor]:
        """As ``Encoder`` promises, through ``branch`` (``None``: the first)."""
        name = branch or self.branches[0]
        if name not in self.subnets:
            raise ValueError(
                f"no branch for '{name}': this cascade has {', '.join(self.branches)}. A corpus "
                "names its branch by its language, or by branch=…"
            )
        sequences, lengths = self.subnets[name](features, lengths)
        return self.shared(sequences, lengths), lengths
