"""Notices of a run to where a person reads them: epochs, the end, a failure."""

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as lightning

from kaskad.callbacks.final_metrics import FinalFigures
from kaskad.callbacks.non_finite import DivergedError
from kaskad.callbacks.notifications.learning_curve import LearningCurve
from kaskad.callbacks.notifications.outbox import Notice, outboxes
from kaskad.callbacks.progress import (
    TimeLeft,
    best_so_far,
    epoch_in_words,
    figures_of,
    monitored,
)

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
        self._last_sent = -math.inf

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._pace = TimeLeft(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve.state()} if self.curve else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.curve and "curve" in state:
            self.curve.load_state(state["curve"])

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        figures = figures_of(trainer, trainer.current_epoch)
        if self.curve:
            self.curve.note(figures, trainer.current_epoch, monitored(trainer))
        now = time.monotonic()
        if now - self._last_sent >= self.interval:
            self._last_sent = now
            lines = [*_shown(figures), *best_so_far(trainer, figures)]
            lines += self._pace.time_left(trainer.global_step)
            self._tell(trainer, epoch_in_words(trainer), lines)

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
            picture = curve.draw(self.prefix, monitored(trainer)) if curve else None
            notice = Notice(f"{self.prefix}: {what}", "\n".join(lines), alarm, picture)
            for outbox in self.ordinary + (self.critical if alarm else []):
                outbox.put(notice)

    def _drain(self) -> None:
        until = time.monotonic() + self.patience
        for outbox in self.ordinary + self.critical:
            outbox.drain(max(until - time.monotonic(), 0.0))


def _shown(figures: Mapping[str, float]) -> list[str]:
    """The loss, and what validation found, under the names of the loggers."""
    return [
        f"{name} {figure:.4g}"
        for name, figure in figures.items()
        if name == "training/loss_epoch" or name.startswith("validation/")
    ]
