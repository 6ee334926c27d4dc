"""last.ckpt: from where an interrupted run goes on, to the bit, and a clean end on a signal."""

import logging
import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning.callbacks import Timer

from kaskad.config.overrides import pasteable, program
from kaskad.data.checks import DataError
from kaskad.loggers.media_logger import MediaLogger
from kaskad.runs import distributed
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.folder import LAST, PREVIOUS
from kaskad.runs.random_states import random_states, set_random_states
from kaskad.runs.stop_signals import StopSignals

log = logging.getLogger(__name__)

STATE = "last_checkpoint"  # what this callback adds to a checkpoint stands under that name


class LastCheckpoint(lightning.Callback):
    """Writes ``last.ckpt`` into ``folder``: between two epochs, every ``every_n_steps`` steps, and
    when training ends. The one before stays as ``previous.ckpt`` until then.

    It is written where nothing is half done: between two batches, when the validation, schedules
    and logs of those before are through. It holds the position in the order of the data and the
    random states, and the sums behind the figures of the epoch.

    A signal that ``StopSignals`` receives (Ctrl-C, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2) writes it as
    well and ends the run cleanly; a second one ends it at once. After SIGUSR1 or SIGUSR2, by which
    Slurm announces that a job's time is up, who had the signal before queues the job again.
    """

    def __init__(self, folder: str | Path, every_n_steps: int | None = None) -> None:
        if every_n_steps is not None and (type(every_n_steps) is not int or every_n_steps < 1):
            raise ValueError(f"every_n_steps is {every_n_steps}; it must be 1 or more, or null")
        self.folder = Path(folder)
        self.every_n_steps = every_n_steps
        self.signals = StopSignals()
        self._corpus = ""
        self._written: tuple[int, int] | None = None
        self._writing: dict[str, Any] | None = None
        self._read: dict[str, Any] | None = None
        self._sums: dict[str, Any] = {}

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._corpus = trainer.datamodule.fingerprint()  # type: ignore[attr-defined]
        self.signals.listen()  # before the data workers are forked: Ctrl-C is meant for them, too

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.signals.listen()  # once more: Lightning has put its own way with SIGTERM in between
        if self._read is not None:
            self._go_on(trainer, self._read)
            self._read = None

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        stop = trainer.strategy.reduce_boolean_decision(
            self.signals.received is not None, all=False
        )
        step, every = trainer.global_step, self.every_n_steps
        due = step > 0 and (batch_idx == 0 or (every is not None and step % every == 0))
        whole_step = batch_idx % trainer.accumulate_grad_batches == 0
        if (due or stop) and whole_step:
            self._write(trainer, batch_idx)
            if stop:
                self._stop(trainer)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any
    ) -> None:
        # Else Lightning would leave out schedules by epochs where the epoch was interrupted.
        trainer.fit_loop._restarting = False
        self._add_sums(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._add_sums(trainer)  # what other callbacks log after us in the last step

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._write(trainer, 0, finished=True)
        (self.folder / PREVIOUS).unlink(missing_ok=True)
        if self.signals.received is not None:
            self._stop(trainer)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        self.signals.ignore()
        # A data worker may have died, of the same signal perhaps: the training so far is not lost.
        if isinstance(exception, Exception) and _is_between_batches(trainer):
            self._write(trainer, trainer.fit_loop.epoch_loop.batch_progress.current.completed)
            if self.signals.received is not None:
                self._stop(trainer)

    def teardown(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str
    ) -> None:
        self.signals.ignore()

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if self._writing is not None:  # and not the best one, which may come at any time
            checkpoint[STATE] = self._writing
            _tell_between_batches(checkpoint["loops"]["fit_loop"], self._writing["batches"])

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if STATE not in checkpoint:
            raise CheckpointError(
                "this checkpoint has weights, and not where its training stood: it was not written "
                "as last.ckpt. Begin a new run with its weights: init_from=…"
            )
        self._read = checkpoint[STATE]
        data = trainer.datamodule  # type: ignore[attr-defined]
        if self._read["corpus"] != data.fingerprint():
            raise DataError(
                "the training corpus is not the one that this run began with: its utterances, "
                "their transcripts or lengths have changed. Bring the old one back, or begin a "
                "new run from these weights: init_from=…"
            )
        data.begin_at(self._read["epoch"], self._read["batches"])
        # A run that had ended goes on where its end has been put off.
        trainer.should_stop = self._read["finished"] == _end_of(trainer)
        for logger in trainer.loggers:
            if isinstance(logger, MediaLogger):
                logger.go_on_from(checkpoint["global_step"])

    def _write(self, trainer: lightning.Trainer, batches: int, *, finished: bool = False) -> None:
        """Write a checkpoint after so many batches of the epoch."""
        if self._written == (trainer.current_epoch, batches):
            return
        for logger in trainer.loggers:
            logger.save()  # all that led here
            if isinstance(logger, MediaLogger):
                logger.settle()
        last = self.folder / LAST
        if last.exists() and trainer.is_global_zero:
            last.replace(self.folder / PREVIOUS)
        self._writing = {
            "epoch": trainer.current_epoch,
            "batches": batches,
            "finished": _end_of(trainer) if finished else None,
            "corpus": self._corpus,
            "random": distributed.gathered(random_states()),
            "metrics": dict(trainer.callback_metrics),
            "sums": _sums(trainer) if batches else {},
        }
        try:
            trainer.save_checkpoint(last)
        finally:
            self._writing = None
        self._written = trainer.current_epoch, batches

    def _go_on(self, trainer: lightning.Trainer, state: dict[str, Any]) -> None:
        if distributed.rank() < len(state["random"]):  # there may be more processes than there were
            set_random_states(state["random"][distributed.rank()])
        trainer.callback_metrics.update(state["metrics"])
        self._sums = state["sums"]
        self._written = state["epoch"], state["batches"]
        if state["batches"] == 0:
            # Lightning would take the whole epoch before for one that was interrupted at its end.
            trainer.fit_loop.epoch_loop.restarting = False
        log.info(
            "going on in epoch %d, after %d of its batches", state["epoch"] + 1, state["batches"]
        )

    def _add_sums(self, trainer: lightning.Trainer) -> None:
        """Add what was summed up before the interruption, once Lightning sums up again."""
        results: dict[str, Any] = trainer._results or {}
        for name in self._sums.keys() & results.keys():
            for part, total in self._sums.pop(name).items():
                setattr(results[name], part, getattr(results[name], part) + total)

    def _stop(self, trainer: lightning.Trainer) -> None:
        number = (
            self.signals.received or signal.SIGTERM
        )  # another process of the run may have got it
        name = signal.Signals(number).name
        in_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
        resume = pasteable("resume", str(self.folder.parent))
        hint = "" if in_sweep else f"; to go on: {program('train')} {resume}"
        log.warning("stopped by %s after step %d%s", name, trainer.global_step, hint)
        self.signals.hand_on(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _end_of(trainer: lightning.Trainer) -> dict[str, Any]:
    """When a training is to end."""
    timers = [each for each in trainer.callbacks if isinstance(each, Timer)]  # type: ignore[attr-defined]
    seconds = [timer._duration for timer in timers]
    return {"epochs": trainer.max_epochs, "steps": trainer.max_steps, "seconds": seconds}


def _is_between_batches(trainer: lightning.Trainer) -> bool:
    """Whether training, on this machine alone, was waiting for the next batch of an epoch."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    done = progress.current.completed
    return (
        trainer.world_size == 1
        and trainer.training
        and trainer.global_step > 0
        and progress.current.ready == done
        and not progress.is_last_batch
        and done % trainer.accumulate_grad_batches == 0
    )


def _sums(trainer: lightning.Trainer) -> dict[str, dict[str, torch.Tensor]]:
    """What Lightning has added up of each figure that it will log for the whole epoch."""
    return {
        name: {part: getattr(metric, part).clone() for part in metric._defaults}
        for name, metric in (trainer._results or {}).items()
        if metric.meta.on_epoch and (metric.meta.is_mean_reduction or metric.meta.is_sum_reduction)
    }


def _tell_between_batches(loops: dict[str, Any], batches: int) -> None:
    """Lightning has begun the next batch: say that it has not, and nor has an epoch's first."""
    begun = [loops["epoch_loop.batch_progress"]]
    if batches == 0:
        begun.append(loops["epoch_progress"])
    for progress in begun:
        for count in (progress["total"], progress["current"]):
            count.update(dict.fromkeys(("ready", "started", "processed"), count["completed"]))
    loops["epoch_loop.batch_progress"]["is_last_batch"] = False
