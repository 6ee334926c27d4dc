"""Losses and gradients that are not finite: named, counted, and a run that has diverged stopped."""

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from torch import Tensor

from kaskad.data.batch import Batch, batches_of
from kaskad.models.ctc_losses import frames_needed
from kaskad.models.module import Learner
from kaskad.models.recogniser import Recogniser
from kaskad.runs import distributed

log = logging.getLogger(__name__)

# What a run that has diverged leaves in its folder: a checkpoint, and under KEY the last batches.
DIVERGED, KEY = "diverged.ckpt", "diverged"

INFEASIBLE, BAD_AUDIO, OVERFLOW = "infeasible", "bad audio", "overflow"


class DivergedError(RuntimeError):
    """The losses are no longer numbers: this run cannot learn any more."""


@dataclass(frozen=True)
class UtteranceLoss:
    """The loss of an utterance; where it is not finite, why.

    ``infeasible``: more labels than CTC can align with its ``frames``; ``bad audio``: a sample is
    NaN or Inf; ``overflow``: anything else.
    """

    id: str
    frames: int
    labels: int
    loss: float
    reason: str = ""


class NonFinite(lightning.Callback):
    """Names the utterances whose loss is not finite, which the recogniser leaves out of its mean.

    Each is a row of ``non_finite.csv`` in ``folder``. A step whose gradient is not finite is
    skipped, and counted as ``training/skipped_steps``.

    Raises ``DivergedError`` where more than the share ``max_share`` of an epoch's utterances is
    lost, the infeasible not counted, or ``max_steps`` steps in a row updated no weights. The
    weights and the last batches are then in ``diverged.ckpt``, for ``debug=replay``.
    """

    def __init__(self, folder: str | Path, max_share: float = 0.1, max_steps: int = 10) -> None:
        self.folder = Path(folder)
        self.max_share = max_share
        self.max_steps = max_steps
        # Utterances of this epoch in all processes of the run, and how many of them are lost; steps
        # in a row without learning.
        self.counts = {"seen": 0, "lost": 0, "steps": 0}
        self._stepped = False
        self._saving: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        return dict(self.counts)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts.update(state)

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self.counts.update(seen=0, lost=0)

    def on_before_optimizer_step(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._stepped = True  # not so in each batch, where gradients are accumulated

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Batch | Sequence[Batch],
        batch_idx: int,
    ) -> None:
        skipped = self._stepped and self._note_gradient(trainer, cast(Learner, module))
        self._stepped = False
        if not isinstance(module, Recogniser):
            return  # text has no utterances to name
        parts = [part for part in batches_of(batch) if len(part)]
        losses = [module.utterance_losses[part.corpus] for part in parts]
        self.counts["seen"] += module.seen
        if module.used < module.seen:
            described = [
                each
                for part, found in zip(parts, losses, strict=True)
                for each in describe(module, part, found)
            ]
            named = [each for each in described if each.reason]
            named = list(chain(*distributed.gathered(named)))
            self.counts["lost"] += sum(each.reason != INFEASIBLE for each in named)
            if trainer.is_global_zero:
                self._name(named, trainer)
        if module.seen:
            used = module.used > 0 and not skipped
            self.counts["steps"] = 0 if used else self.counts["steps"] + 1
        # The counts, and with them the verdict, are the same in all processes.
        if fault := self._fault(trainer, batch_idx):
            self._stop(trainer, parts, losses, fault)

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if self._saving is not None:
            checkpoint[KEY] = self._saving

    def _note_gradient(self, trainer: lightning.Trainer, module: Learner) -> bool:
        """Log its norm; whether it is not finite, and the step was skipped."""
        skipped = not module.gradient_norm.isfinite()
        if skipped:
            log.warning("step %d is skipped: its gradient is not finite", trainer.global_step - 1)
        else:
            norm = module.gradient_norm
            module.log("training/gradient_norm", norm, on_step=True, on_epoch=True, batch_size=1)
        module.log(
            "training/skipped_steps",
            float(skipped),
            on_step=False,
            on_epoch=True,
            reduce_fx="sum",
            batch_size=1,
        )
        return skipped

    def _name(self, named: list[UtteranceLoss], trainer: lightning.Trainer) -> None:
        path = self.folder / "non_finite.csv"
        begun = path.exists()
        columns = ["id", "frames", "labels", "epoch", "step", "reason"]
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            if not begun:
                writer.writeheader()
            for each in named:
                where = {"epoch": trainer.current_epoch, "step": trainer.global_step}
                writer.writerow(asdict(each) | where)
                log.warning(
                    "left out of the loss: %s (%s; %d frames, %d labels)",
                    each.id,
                    each.reason,
                    each.frames,
                    each.labels,
                )

    def _fault(self, trainer: lightning.Trainer, batch_idx: int) -> str:
        """What makes this run one that has diverged, if anything does."""
        seen, lost, steps = self.counts["seen"], self.counts["lost"], self.counts["steps"]
        if steps >= self.max_steps:
            return f"no weights were updated in {steps} steps in a row, for want of finite numbers"
        # Once more are lost than a whole epoch may lose, there is no need to wait for its end.
        in_epoch = seen * trainer.num_training_batches / (batch_idx + 1)
        if lost > self.max_share * in_epoch:
            return (
                f"{lost} of {seen} utterances without a finite loss (max_share is {self.max_share})"
            )
        return ""

    def _stop(
        self, trainer: lightning.Trainer, parts: list[Batch], losses: list[Tensor], fault: str
    ) -> None:
        path = self.folder / DIVERGED
        cpu = torch.device("cpu")
        batches = [_plain(part.to(cpu)) for part in parts]
        self._saving = {
            "batches": list(chain(*distributed.gathered(batches))),
            "losses": list(chain(*distributed.gathered([found.cpu() for found in losses]))),
        }
        try:
            trainer.save_checkpoint(path, weights_only=False)
            left = f"weights and batch are in {path}; python train.py … debug=replay "
            left += f"replay={self.folder} runs it again"
        except OSError as error:
            left = f"{path} could not be written: {error}"
        finally:
            self._saving = None
        raise DivergedError(
            f"diverged in epoch {trainer.current_epoch + 1}, step {trainer.global_step}: {fault}; "
            f"non_finite.csv names the utterances; try a lower optimizer.lr, or "
            f"trainer.precision=32-true\n{left}"
        )


def describe(recogniser: Recogniser, batch: Batch, losses: Tensor) -> Iterator[UtteranceLoss]:
    """The ``losses`` (batch,) of the utterances, and why some are not finite."""
    samples = batch.waveform_lengths
    room = recogniser.alignment_frames(samples)  # of a recogniser without CTC: in each sample
    columns = zip(
        batch.ids,
        torch.minimum(room, recogniser.features.frame_count(samples)).tolist(),
        batch.target_lengths.tolist(),
        losses.tolist(),
        losses.isfinite().tolist(),
        batch.finite_audio().tolist(),
        (room >= frames_needed(batch)).tolist(),
        strict=True,
    )
    for id_, frames, labels, loss, finite, audio, feasible in columns:
        reason = BAD_AUDIO if not audio else OVERFLOW if feasible else INFEASIBLE
        yield UtteranceLoss(id_, frames, labels, loss, "" if finite else reason)


def _plain(batch: Batch) -> dict[str, Any]:
    """Tensors and plain values, from which the batch can be made again."""
    return {name: value for name, value in vars(batch).items() if name != "skipped"}
