"""MLflow: runs in a database, and a server with pages."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

# Before it is imported, for it tells its makers of that, too.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that is away is to be noticed soon: once more, and at most so many seconds each time.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import numpy as np
import polars as pl
import soundfile
from mlflow.entities import Metric
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from kaskad.loggers.media_logger import MediaLogger, to_markdown
from kaskad.loggers.tracking_uri import ADDRESS, shown, try_to_open, without_password

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a checkpoint waits for the tracker
PAUSE = 60.0  # seconds for which a tracker that failed is left alone
AT_ONCE = 1000  # figures that MLflow takes in one call
BINS = 20  # of a histogram


class MLflow(MLFlowLogger, MediaLogger):
    """Logs to the server or database of ``MLFLOW_TRACKING_URI``, else to the SQLite file
    ``database``; ``artifacts`` is the folder of pictures and sounds where no server keeps them.

    Where it cannot be opened, ``ValueError`` says so before any training. From then on a thread
    sends what is logged, beside the training. If that fails, figures wait until the tracker is
    back, what else was to be shown is left out, and what did not get through is counted. The id of
    the run is kept in ``folder``: a run that goes on is found by it.
    """

    def __init__(
        self, folder: str, database: str, artifacts: str, experiment: str, name: str
    ) -> None:
        uri = os.environ.get(ADDRESS) or f"sqlite:///{Path(database).resolve()}"
        self.uri = uri
        self.lost = 0
        self._reported: tuple[int, int] | None = None  # how much is missing
        self._waiting: list[Metric] = []
        self._away_until = 0.0
        self._known: dict[str, int] = {}  # figures that were logged before, up to which step
        self._thread = ThreadPoolExecutor(1, "mlflow")  # one thing after the other
        self._kept_id = Path(folder, "mlflow_run_id.txt")
        served = uri.startswith(("http:", "https:"))
        first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        try:
            if first:
                try_to_open(uri)
            super().__init__(
                experiment_name=experiment,
                run_name=name,
                tracking_uri=uri,
                artifact_location=None if served else Path(artifacts).resolve().as_uri(),
                run_id=self._kept_id.read_text("utf-8") if self._kept_id.exists() else None,
            )
            if first:
                self._begin()
        except Exception as error:
            # Without its cause, whose message may hold the password, as may those before it.
            raise ValueError(
                f"{shown(uri)} cannot be opened: {without_password(str(error), uri)}\n"
                f"mend that, or set {ADDRESS} to another server or database, or log elsewhere: "
                "logger=tensorboard"
            ) from None

    @rank_zero_only
    def go_on_from(self, step: int) -> None:
        """Log nothing twice that an interrupted run logged of the steps from ``step`` on: what is
        the same again. MLflow keeps every figure that it ever got."""

        def look() -> None:
            for name in self.experiment.get_run(self.run_id).data.metrics:
                history = self.experiment.get_metric_history(self.run_id, name)
                self._known[name] = max(metric.step for metric in history)

        self._thread.submit(self._reach, look)

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        self._thread.submit(self._reach, lambda: super(MLflow, self).log_hyperparams(params))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        now = int(time.time() * 1000)
        self._waiting += [Metric(k, float(v), now, step or 0) for k, v in metrics.items()]

    @rank_zero_only
    def save(self) -> None:
        """Have the figures sent; Lightning calls this after each time that it logs some."""
        self._thread.submit(self._send)

    @rank_zero_only
    def settle(self) -> None:
        """Else a run that is killed has a checkpoint, and not all figures of the steps before."""
        with suppress(TimeoutError):
            self._thread.submit(self._send).result(timeout=PATIENCE)

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """Wait until everything is sent, or tell how much is not."""
        self._thread.submit(self._finish, status).result()

    def conclude(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], step: int
    ) -> None:
        self.log_metrics(figures, step)
        self.finalize("success")

    def show_picture(self, name: str, picture: Tensor, step: int) -> None:
        pixels = (255 * picture).byte().numpy()
        self._show(lambda run: self.experiment.log_image(run, pixels, key=name, step=step))

    def show_audio(self, name: str, waveform: Tensor, sample_rate: int, step: int) -> None:
        def send(run: str) -> None:
            place, _, file = name.rpartition("/")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"{file}.wav")
                soundfile.write(path, waveform.numpy(), sample_rate)
                self.experiment.log_artifact(run, str(path), place)

        self._show(send)

    def show_table(self, name: str, table: pl.DataFrame, step: int) -> None:
        text, file = to_markdown(table), f"{name}/step_{step:07}.md"
        self._show(lambda run: self.experiment.log_text(run, text, file))

    def show_histogram(self, name: str, values: np.ndarray, step: int) -> None:
        counts, edges = np.histogram(values, BINS)
        columns = {"from": edges[:-1].round(3), "to": edges[1:].round(3), "count": counts}
        self.show_table(name, pl.DataFrame(columns), step)

    def _begin(self) -> None:
        self._kept_id.parent.mkdir(parents=True, exist_ok=True)
        self._kept_id.write_text(self.run_id or "", "utf-8")  # asking for it begins the run
        self.experiment.update_run(self.run_id, status="RUNNING")
        # Else its pages open as those of a chat bot.
        kind = "mlflow.experimentKind", "custom_model_development"
        self.experiment.set_experiment_tag(self.experiment_id, *kind)

    def _show(self, send: Callable[[str], Any]) -> None:
        def try_to_send() -> None:
            if not self._reach(lambda: send(self.run_id or "")):
                self.lost += 1

        self._thread.submit(try_to_send)

    def _send(self) -> None:
        while taken := self._waiting[:AT_ONCE]:
            new = [each for each in taken if each.step > self._known.get(each.key, -1)]
            if new and not self._reach(partial(self.experiment.log_batch, self.run_id, new)):
                return
            del self._waiting[: len(taken)]  # others may have been added meanwhile

    def _finish(self, status: str) -> None:
        self._away_until = 0.0  # perhaps the last time to try
        self._send()
        self._reach(lambda: super(MLflow, self).finalize(status))
        missing = len(self._waiting), self.lost
        if any(missing) and missing != self._reported:
            self._reported = missing
            log.warning(
                "%s: %d figures and %d other things did not get through; to be safe, log elsewhere "
                "as well: logger=[tensorboard,mlflow]",
                shown(self.uri),
                *missing,
            )

    def _reach(self, call: Callable[[], Any]) -> bool:
        """Whether the tracker could be told; for a while after it could not, it is not tried."""
        if time.monotonic() < self._away_until:
            return False
        try:
            call()
        except Exception as error:  # of MLflow, its database or the network: the run matters more
            self._away_until = time.monotonic() + PAUSE
            log.warning(
                "%s: %s; the run goes on, %d figures wait for the tracker to be back",
                shown(self.uri),
                without_password(str(error), self.uri).partition("\n")[0],
                len(self._waiting),
            )
            return False
        return True
