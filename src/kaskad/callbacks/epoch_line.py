"""One line an epoch, for consoles and logs that show no progress bar."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning

from kaskad.callbacks.progress import TimeLeft, figures_of
from kaskad.data.batch import Batch, batches_of
from kaskad.metrics.registry import epoch_in_figures
from kaskad.runs import distributed
from kaskad.runs.progress_bar import epoch_of_all

log = logging.getLogger(__name__)


class EpochLine(lightning.Callback):
    """Epoch, losses, error rate, what ``StepTimes`` and others found, and the time left.

    It logs the time left as well and, where several corpora train, how often each was gone through.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()  # utterances, by their corpus

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._pace = TimeLeft(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": dict(self._seen_everywhere())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if distributed.rank() == 0:
            self._seen.update(state.get("seen", {}))

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._seen.clear()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch | Sequence[Batch],
        batch_idx: int,
    ) -> None:
        for part in batches_of(batch):
            self._seen[part.corpus] += len(part) + len(part.skipped)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        repeats = self._repeats(trainer)
        module.log_dict({f"training/repeats/{corpus}": times for corpus, times in repeats.items()})
        shown = epoch_in_figures(figures_of(trainer, trainer.current_epoch))
        shown += [f"{corpus} {times:.1f} times" for corpus, times in repeats.items()]
        minutes = self._pace.minutes_left(trainer.global_step)
        if minutes is not None:
            module.log("training/minutes_left", minutes)
            shown.append(f"{minutes:.1f} minutes left")
        log.info("epoch %s: %s", epoch_of_all(trainer), ", ".join(shown))

    def _repeats(self, trainer: lightning.Trainer) -> dict[str, float]:
        """How often each corpus was gone through in this epoch, where there are several."""
        if len(self._seen) < 2:
            return {}
        tables = trainer.datamodule.training_tables()  # type: ignore[attr-defined]
        seen_by_corpus = self._seen_everywhere()
        return {corpus: count / tables[corpus].height for corpus, count in seen_by_corpus.items()}

    def _seen_everywhere(self) -> Counter[str]:
        """What all processes of the run have seen."""
        return sum(distributed.gathered(self._seen), Counter())
