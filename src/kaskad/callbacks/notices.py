"""Notices of a run to where a person reads them: epochs, the end, a failure."""

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ModelCheckpoint

from kaskad.callbacks.final_figures import FinalFigures
from kaskad.callbacks.learning_curve import VALIDATION, LearningCurve
from kaskad.callbacks.non_finite import DivergedError
from kaskad.callbacks.outbox import Notice, outboxes

ORDINARY, CRITICAL = "KASKAD_NOTIFY", "KASKAD_NOTIFY_CRITICAL"
LAST_LINES = 12  # of a traceback


class Notices(FinalFigures):
    """Tells of each epoch, but not within ``interval`` seconds of the one before; of the end, with
    its figures; and of a failure, with its last lines. Each title begins with ``prefix``. With
    ``picture`` the learning curve goes along, where the service takes pictures.

    The services are apprise's URLs in the environment variable ``KASKAD_NOTIFY``, and for failures
    those in ``KASKAD_NOTIFY_CRITICAL``, too; nothing that is written holds them. How a notice is
    sent is for ``Outbox`` to say; a run waits at its end ``patience`` seconds at most for it.

    Raises ``ValueError`` if there is no URL, or a wrong one.
    """

    def __init__(
        self,
        prefix: str,
        interval: float = 60.0,
        attempts: int = 5,
        backoff: float = 2.0,
        patience: float = 15.0,
        picture: bool = True,
    ) -> None:
        self.prefix = prefix
        self.interval = interval
        self.patience = patience
        self.curve = LearningCurve() if picture else None
        self.ordinary = outboxes(ORDINARY, attempts, backoff)
        self.critical = outboxes(CRITICAL, attempts, backoff)
        if not self.ordinary + self.critical:
            raise ValueError(
                f"callbacks=notices sends to the apprise URLs of the environment variable "
                f"{ORDINARY}, and failures to those of {CRITICAL} as well; neither is set: "
                f"export {ORDINARY}=tgram://<bot token>/<chat>"
            )
        self._told = -math.inf
        self._began = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._began, self._first_step = time.monotonic(), trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve.state()} if self.curve else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.curve and "curve" in state:
            self.curve.load_state(state["curve"])

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if self.curve:
            self.curve.note(trainer, _monitor(trainer))
        now = time.monotonic()
        if now - self._told >= self.interval:
            self._told = now
            total = trainer.max_epochs or -1
            epoch = f"epoch {trainer.current_epoch + 1}" + (f" of {total}" if total > 0 else "")
            lines = [*_figures(trainer), *_best(trainer), *self._time_left(trainer)]
            self._tell(trainer, epoch, lines)

    def on_report(self, trainer: lightning.Trainer, figures: Mapping[str, float]) -> None:
        lines = [f"{name} {figure:.4g}" for name, figure in figures.items()]
        self._tell(trainer, "finished", [*lines, trainer.default_root_dir])
        self._drain()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        where = f"after step {trainer.global_step}"
        if isinstance(exception, Exception):
            what = "diverged" if isinstance(exception, DivergedError) else "failed"
            lines = "".join(traceback.format_exception(exception)).splitlines()[-LAST_LINES:]
            self._tell(trainer, f"{what} {where}", [*lines, trainer.default_root_dir], alarm=True)
        else:  # Ctrl-C, or a signal
            self._tell(trainer, f"stopped {where}", [trainer.default_root_dir])
        self._drain()

    def _tell(
        self, trainer: lightning.Trainer, what: str, lines: Sequence[str], *, alarm: bool = False
    ) -> None:
        if trainer.is_global_zero:
            curve = self.curve if self.curve and self.curve.epochs else None
            picture = curve.draw(self.prefix, _monitor(trainer)) if curve else None
            notice = Notice(f"{self.prefix}: {what}", "\n".join(lines), alarm, picture)
            for outbox in self.ordinary + (self.critical if alarm else []):
                outbox.put(notice)

    def _drain(self) -> None:
        until = time.monotonic() + self.patience
        for outbox in self.ordinary + self.critical:
            outbox.drain(max(until - time.monotonic(), 0.0))

    def _time_left(self, trainer: lightning.Trainer) -> list[str]:
        done = trainer.global_step - self._first_step
        left = trainer.estimated_stepping_batches - trainer.global_step
        if done == 0 or not math.isfinite(left):
            return []
        minutes = (time.monotonic() - self._began) / done * left / 60
        return [f"{minutes:.1f} minutes left"]


def _figures(trainer: lightning.Trainer) -> list[str]:
    """The loss, and what validation found, under the names of the loggers."""
    return [
        f"{name} {float(figure):.4g}"
        for name, figure in trainer.callback_metrics.items()
        if name == "training/loss_epoch" or name.startswith("validation/")
    ]


def _checkpoint(trainer: lightning.Trainer) -> ModelCheckpoint | None:
    callback = trainer.checkpoint_callback
    return callback if isinstance(callback, ModelCheckpoint) else None


def _monitor(trainer: lightning.Trainer) -> str:
    """The figure by which a checkpoint is chosen, the loss where none is."""
    checkpoint = _checkpoint(trainer)
    return (checkpoint and checkpoint.monitor) or VALIDATION


def _best(trainer: lightning.Trainer) -> list[str]:
    """The best so far of the figure by which a checkpoint is chosen."""
    checkpoint = _checkpoint(trainer)
    if checkpoint is None:
        return []
    # The checkpoint of this epoch is yet to come.
    figures = [checkpoint.best_model_score, trainer.callback_metrics.get(checkpoint.monitor or "")]
    known = [float(figure) for figure in figures if figure is not None]
    if not known:
        return []
    best = max(known) if checkpoint.mode == "max" else min(known)
    return [f"best {checkpoint.monitor} so far {best:.4g}"]
