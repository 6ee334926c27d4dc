"""For callbacks that want to know how a run ended: with which figures."""

from collections.abc import Mapping

import pytorch_lightning as lightning


class FinalFigures(lightning.Callback):
    """A callback that gets the figures of the report, the last step of a run."""

    def on_report(self, trainer: lightning.Trainer, figures: Mapping[str, float]) -> None:
        """``figures`` as in the report, each with the name of its corpus: ``test/wer``."""
        raise NotImplementedError


def tell_figures(trainer: lightning.Trainer, figures: Mapping[str, float]) -> None:
    """Tell the callbacks that want to know."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, FinalFigures):
            callback.on_report(trainer, figures)
