"""TensorBoard as one wants to open it: curves in a prepared order, samples, settings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from torch import Tensor

from kaskad.loggers.forgiving import forgiving
from kaskad.loggers.media_logger import SHOWS, MediaLogger, to_markdown
from kaskad.metrics.registry import METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def _curves(*, lower_is_better: bool) -> str:
    names = [
        name
        for name, metric in METRICS.items()
        if "curves" in metric.places and metric.lower_is_better == lower_is_better
    ]
    return f"^validation/({'|'.join(names)})$"


# The page "Custom Scalars": categories, and in each its charts with the figures (regular
# expressions) that are drawn into them.
LAYOUT = {
    "Learning": {
        "losses": ["Multiline", ["^training/loss(_(?!step$)|/)", "^validation/loss"]],
        "error rates": ["Multiline", [_curves(lower_is_better=True)]],
        "right": ["Multiline", [_curves(lower_is_better=False)]],
    },
    "Steps": {
        "learning rate": ["Multiline", ["^training/learning_rate$"]],
        "gradient norm": ["Multiline", ["^training/gradient_norm_step$"]],
        "left out": ["Multiline", ["^training/non_finite$", "^training/skipped_steps$"]],
    },
    "Speed": {
        "audio seconds a second": ["Multiline", ["^training/audio_seconds_per_second$"]],
        "share of time": ["Multiline", ["^training/time/"]],
        "memory, GB": ["Multiline", ["^training/memory/"]],
    },
}


@forgiving("log_metrics", "log_hyperparams", "save", "finalize", "conclude", "go_on_from", *SHOWS)
class TensorBoard(TensorBoardLogger, MediaLogger):
    """Lightning's logger, with a layout of curves and with what a ``MediaLogger`` shows."""

    def __init__(self, save_dir: str, name: str = "tensorboard", version: str = "") -> None:
        super().__init__(save_dir, name, version, default_hp_metric=False)

    def go_on_from(self, step: int) -> None:
        """Have TensorBoard forget what an interrupted run logged of the steps from ``step`` on."""
        restart = Event(step=step, session_log=SessionLog(status=SessionLog.START))
        self.experiment.file_writer.add_event(restart, step)

    @property
    @rank_zero_experiment
    def experiment(self) -> "SummaryWriter":
        opened = self._experiment is not None
        writer = super().experiment
        if not opened:
            writer.add_custom_scalars(LAYOUT)
        return writer

    def show_picture(self, name: str, picture: Tensor, step: int) -> None:
        self.experiment.add_image(name, picture, step, dataformats="HW")

    def show_audio(self, name: str, waveform: Tensor, sample_rate: int, step: int) -> None:
        self.experiment.add_audio(name, waveform[None], step, sample_rate)

    def show_table(self, name: str, table: pl.DataFrame, step: int) -> None:
        self.experiment.add_text(name, to_markdown(table), step)

    def show_histogram(self, name: str, values: np.ndarray, step: int) -> None:
        self.experiment.add_histogram(name, values, step)

    def conclude(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], step: int
    ) -> None:
        # The page shows the first of them: an error rate rather than the number of parameters.
        ordered = {
            name: figures[name] for name in sorted(figures, key=lambda name: "/" not in name)
        }
        self.log_hyperparams(dict(settings), ordered, step)
        self.finalize("success")
