"""Learning rates over a run, in the form that Lightning takes."""

from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR, ReduceLROnPlateau

from kaskad.metrics.registry import higher_is_better

Schedule = dict[str, Any]


class LengthenedOneCycle(OneCycleLR):
    """One cycle that a run may go on with for longer (``trainer.max_epochs``) than it began with.

    The rate then follows the longer cycle from the step at which the run goes on: it jumps up.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        ours = {name: self.__dict__[name] for name in ("total_steps", "_schedule_phases")}
        super().load_state_dict({**state_dict, **ours})


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    *,
    max_lr: float,
    warm_up: float = 0.2,
    start_divisor: float = 25.0,
    end_divisor: float = 1e4,
) -> Schedule:
    """Up to ``max_lr`` during the share ``warm_up`` of the run, then down, on cosines.

    It begins at ``max_lr / start_divisor`` and ends at that divided by ``end_divisor``.
    Source: Smith, Topin, "Super-Convergence" (2017).
    """
    if warm_up * total_steps == 1:
        warm_up = 0.0  # up in a single step is at the top at once, and OneCycleLR divides by zero
    schedule = LengthenedOneCycle(
        optimizer,
        max_lr=[max_lr * group.get("scale", 1.0) for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=warm_up,
        div_factor=start_divisor,
        final_div_factor=end_divisor,
    )
    return {"scheduler": schedule, "interval": "step"}


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    *,
    factor: float = 0.5,
    patience: int = 3,
    monitor: str = "validation/wer",
) -> Schedule:
    """Multiply the rate by ``factor`` when ``monitor`` has not become better in more than
    ``patience`` validations, however many epochs lie between two of them."""
    mode: Literal["min", "max"] = "max" if higher_is_better(monitor) else "min"
    schedule = ReduceLROnPlateau(optimizer, mode, factor=factor, patience=patience)
    # Not strict: validation may come every few epochs only.
    return {"scheduler": schedule, "interval": "epoch", "monitor": monitor, "strict": False}


def constant(optimizer: Optimizer, total_steps: int) -> Schedule:
    """The optimizer's own rate from the first step to the last."""
    return {"scheduler": ConstantLR(optimizer, factor=1.0), "interval": "epoch"}
