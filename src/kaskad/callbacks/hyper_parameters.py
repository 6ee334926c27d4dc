"""The settings of a run beside its final figures: what a page needs to compare runs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser

from kaskad.callbacks.final_metrics import FinalFigures
from kaskad.config.overrides import typed_overrides
from kaskad.loggers.media_logger import MediaLogger

Setting = str | float | bool | None


class HyperParameters(FinalFigures):
    """Logs ``settings``, and those that the command line gave (in which the runs of a sweep
    differ), when a run begins, and its final figures beside them when it ends.

    The validation figures of the chosen weights are called ``best/…``: under their own names they
    would be one more point of a curve.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self.settings: dict[str, Setting] = {**settings, **dict(_stated())}

    def state_dict(self) -> dict[str, Any]:
        return {"settings": self.settings}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if trainer.ckpt_path is None:  # else they were logged when the run began
            for logger in trainer.loggers:
                logger.log_hyperparams(self.settings)

    def on_report(self, trainer: lightning.Trainer, figures: Mapping[str, float]) -> None:
        final = {re.sub("^validation/", "best/", name): value for name, value in figures.items()}
        for logger in trainer.loggers if trainer.is_global_zero else []:
            if isinstance(logger, MediaLogger):
                logger.conclude(self.settings, final, trainer.global_step)
            else:
                logger.log_metrics(final, trainer.global_step)
                logger.save()


def _stated() -> Iterator[tuple[str, Setting]]:
    """Keys and plain values on the command line."""
    if HydraConfig.initialized():
        parser = OverridesParser.create()
        for override in map(parser.parse_override, typed_overrides()):
            value: Any = override.value()
            plain = isinstance(value, int | float | bool)
            yield override.key_or_group, value if plain else str(value)
