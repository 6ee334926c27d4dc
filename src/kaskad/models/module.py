"""What everything that learns labels has around its net: an optimizer, and labels to keep to."""

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from kaskad.config.messages import require_figure
from kaskad.models.schedules import Schedule
from kaskad.text.tokenizer import Tokenizer, difference

VALIDATED_IN = "validated_in_epoch"  # beside the figures of a validation: the epoch that it is of


class Learner(lightning.LightningModule):
    """A net over the labels of ``tokenizer``. Weights for other labels are refused.

    ``optimizer`` and ``scheduler`` are partial: each is finished here. What is only to be used
    needs neither.
    """

    # What it learns from, which also says how it is tested.
    learns_from_data: Literal["speech", "text", "pronunciations", "corrections"] = "speech"

    def __init__(
        self,
        tokenizer: Tokenizer,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., Schedule] | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.make_optimizer = optimizer
        self.make_schedule = scheduler
        # Of the last step, before it was clipped.
        self.gradient_norm: Tensor = torch.zeros(())

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients by their norm, and keep it; a step with no finite norm is left out."""
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        self.gradient_norm = nn.utils.get_total_norm(gradients)
        if not self.gradient_norm.isfinite():
            optimizer.zero_grad()  # it passes over weights without a gradient
        elif gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            nn.utils.clip_grads_with_norm_(self.parameters(), gradient_clip_val, self.gradient_norm)

    def no_share(self) -> Tensor:
        """A loss of 0, whose gradient the other processes of a run wait for."""
        return 0.0 * next(each for each in self.parameters() if each.requires_grad).sum()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["labels"] = self.tokenizer.labels

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise ``ValueError`` if the weights to come were trained for other labels."""
        ours = self.tokenizer.labels
        theirs = checkpoint.get("labels", ours)
        if theirs != ours:
            raise ValueError(
                f"the weights of the checkpoint are for a tokenizer with {len(theirs)} labels, and "
                f"that of this run has {len(ours)}; {difference(ours, theirs)}. Go on with the "
                "tokenizer and the training text of the checkpoint, or begin anew"
            )

    def configure_optimizers(self) -> Any:
        if self.make_optimizer is None:
            raise ValueError("this model was loaded to be used: it has no optimizer")
        optimizer = self.make_optimizer(self.weights_to_learn())
        if self.make_schedule is None:
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        schedule = self.make_schedule(optimizer, int(steps) if math.isfinite(steps) else -1)
        warnings.filterwarnings("ignore", "ReduceLROnPlateau conditioned on metric")  # see below
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def weights_to_learn(self) -> Iterable[Any]:
        """What the optimizer is given: all weights, or groups of them, whose ``scale`` is what the
        learning rate is multiplied by for them."""
        return self.parameters()

    def lr_scheduler_step(self, scheduler: Any, metric: Any | None) -> None:
        """Step schedules that go by time. Those that watch a figure are left to each validation:
        Lightning would count an epoch without one as another without improvement."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_validation_end(self) -> None:
        """Tell a schedule that watches a figure what this validation found, and whoever shows the
        figures of an epoch that they are of this one.

        Raises ``ConfigurationError`` where there is no such figure: before the first step, as the
        validation that Lightning tries first ends here, too.
        """
        figures = self.trainer.callback_metrics
        for schedule in self.trainer.lr_scheduler_configs:
            if isinstance(schedule.scheduler, ReduceLROnPlateau):
                monitor = schedule.monitor or ""
                require_figure(monitor, figures, "scheduler.monitor")
                if not self.trainer.sanity_checking:
                    schedule.scheduler.step(figures[monitor])
        figures[VALIDATED_IN] = torch.tensor(float(self.trainer.current_epoch))
