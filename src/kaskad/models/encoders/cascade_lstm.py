"""A cascade of LSTMs as checkpoints up to November 2026 name it."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Unpack

from torch import Tensor, nn

from kaskad.models.encoders.cascade import Cascade
from kaskad.models.encoders.recurrent import RecurrentEncoder
from kaskad.models.layers.rnn import RecurrentOptions

# Where the layers that all share lay directly in the cascade; now they are an encoder.
SHARED_LAYERS = re.compile(r"(?<=\bshared\.)(?=(?:forwards|backwards)\.)")


class CascadeLSTM(Cascade):
    """``layers`` layers of LSTM for each of the ``branches``, then ``shared_layers`` for all.

    For checkpoints of before, which load as they were trained; a new net is a ``Cascade``, as in
    conf/model/cascade_lstm.yaml. Layers are those of ``RecurrentEncoder``.
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
        super().__init__(
            input_size,
            branches,
            subnet=partial(RecurrentEncoder, layers=layers, **recurrent),
            shared=partial(RecurrentEncoder, layers=shared_layers, input_dropout=0.0, **recurrent),
            time_reduction=time_reduction,
        )
        self.register_load_state_dict_pre_hook(_rename)


def named_as_now(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a recogniser under the names that a cascade gives them now."""
    return {SHARED_LAYERS.sub("layers.", name): weight for name, weight in weights.items()}


def _rename(module: nn.Module, state: dict[str, Any], *_: Any) -> None:
    renamed = named_as_now(state)
    state.clear()
    state.update(renamed)
