"""A cascade of LSTMs: a subnet for each language, and layers that all languages share."""

from collections.abc import Sequence

from torch import Tensor, nn

from kaskad.models.encoders.encoder import Encoder
from kaskad.models.encoders.recurrent import RecurrentEncoder
from kaskad.models.layers.rnn import LSTM


class CascadeLSTM(Encoder):
    """``layers`` layers of LSTM for each of the ``branches``, then ``shared_layers`` for all.

    ``input_size`` bins come in; ``time_reduction`` neighbouring frames are stacked into one; a
    layer has ``hidden_size`` cells in each direction. ``dropout`` is the share of values left out
    before, between and after the layers, and ``layer_norm`` normalises the output of each. The
    first branch is that of the language which is recognised; the others help the shared layers to
    learn. One branch alone is a flat net of ``layers + shared_layers``, a ``RecurrentEncoder``.
    """

    def __init__(
        self,
        input_size: int,
        branches: Sequence[str],
        time_reduction: int = 1,
        hidden_size: int = 100,
        layers: int = 2,
        shared_layers: int = 2,
        bidirectional: bool = True,
        dropout: float = 0.2,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.time_reduction = time_reduction
        self.subnets = nn.ModuleDict(
            {
                branch: RecurrentEncoder(
                    input_size,
                    "lstm",
                    time_reduction,
                    hidden_size,
                    layers,
                    bidirectional,
                    dropout,
                    layer_norm,
                )
                for branch in branches
            }
        )
        self.shared = LSTM(
            hidden_size * (2 if bidirectional else 1),
            hidden_size,
            shared_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        self.output_dropout = nn.Dropout(dropout)
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
        return self.output_dropout(self.shared(sequences, lengths)), lengths
