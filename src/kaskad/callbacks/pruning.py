"""Ends a run that is a trial of a sweep, and a hopeless one."""

import logging
from pathlib import Path

import pytorch_lightning as lightning
from optuna import Trial
from optuna.pruners import BasePruner

from kaskad.config.messages import ConfigurationError, nearest_first
from kaskad.sweeps.studies import PRUNED, open_trial

log = logging.getLogger(__name__)


class Pruning(lightning.Callback):
    """Tells the study, after each epoch's validation, how its trial goes; the ``pruner`` (Optuna's)
    ends it if that is worse than others were by then.

    ``monitor`` is the figure that is told. Without a ``pruner``, or outside a sweep, where there is
    no ``trial``, nothing happens.
    """

    def __init__(
        self, monitor: str, folder: str, study: str, trial: int | None, pruner: BasePruner | None
    ) -> None:
        self.monitor = monitor
        self.folder = Path(folder)
        self.study = study
        self.number = trial
        self.pruner = pruner
        self.pruned = False
        self._trial: Trial | None = None

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if trainer.is_global_zero and self.number is not None and self.pruner is not None:
            self._trial = open_trial(self.folder, self.study, self.number, self.pruner)

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if not trainer.sanity_checking and trainer.strategy.broadcast(self._is_hopeless(trainer)):
            self.pruned = trainer.should_stop = True

    def _is_hopeless(self, trainer: lightning.Trainer) -> bool:
        if self._trial is None:
            return False
        epoch, figures = trainer.current_epoch, trainer.callback_metrics
        if self.monitor not in figures:
            known = nearest_first(self.monitor, figures)
            raise ConfigurationError(
                f"callbacks.pruning.monitor: {self.monitor} is no figure; there are {known}"
            )
        figure = float(figures[self.monitor])
        self._trial.report(figure, epoch)
        if not self._trial.should_prune():
            return False
        self._trial.set_user_attr(PRUNED, epoch + 1)
        log.info("pruned: %s is %.4g after epoch %d", self.monitor, figure, epoch + 1)
        return True
