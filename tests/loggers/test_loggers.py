"""Every logger gets the same figures and what it can show; a tracker that fails loses no run."""

import csv
import logging
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import torch
from hydra.errors import InstantiationException
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kaskad.commands.train import train
from kaskad.loggers.mlflow_logger import MLflow
from kaskad.loggers.tracking_uri import ADDRESS
from kaskad.reports.features_picture import CELL, draw_features

TOKEN = "s3cr3tT0ken"
SMALL = [
    "data=table",
    "data.language=ru",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=3",
    "trainer.log_every_n_steps=1",
    "trainer.gradient_clip_val=0.001",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "model.encoder={hidden_size: 8, layers: 1, channels: [4, 4]}",
]
TIMES = {f"training/time/{part}" for part in ("data", "forward", "backward", "rest")}
EXPECTED = TIMES | {
    "training/loss_step",
    "training/loss_epoch",
    "training/learning_rate",
    "training/gradient_norm_step",
    "training/gradient_norm_epoch",
    "training/audio_seconds_per_second",
    "training/memory/resident",
    "training/minutes_left",
    "validation/loss",
    "validation/wer",
    "best/wer",
    "test/wer",
}
SERVE = "import sys; from mlflow.server import app; app.run(port=int(sys.argv[1]))"


class Server:
    """MLflow's server, which can go away and come back. Its address holds a password."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.uri = f"http://somebody:{TOKEN}@127.0.0.1:{self.port}"
        settings = {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder / "artifacts"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self.environment = {**os.environ, **settings}

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, str(self.port)]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while self.process.poll() is None:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/health").close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("MLflow's server did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory, free_port) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), free_port())
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, server.uri)
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")  # whatever else the machine does
        patch.setenv("WANDB_API_KEY", TOKEN.ljust(40, "0"))
        yield server
    server.stop()


@pytest.fixture(scope="module")
def client(server: Server) -> MlflowClient:
    return MlflowClient(server.uri)


@pytest.fixture(scope="module")
def run(compose, tone_corpus, tmp_path_factory, server: Server) -> Path:
    """The folder of a run with every logger; log.txt is what it told."""
    folder = tmp_path_factory.mktemp("run")
    overrides = [f"data.root={tone_corpus}", "optimizer.lr=0.004"]
    overrides.append("logger=[tensorboard,csv,mlflow,wandb]")
    handler = logging.FileHandler(folder / "log.txt")
    logging.getLogger("kaskad").setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    train(compose("train", folder, *SMALL, *overrides))
    logging.getLogger().removeHandler(handler)
    return folder


def board(folder: Path) -> EventAccumulator:
    everything = dict.fromkeys(("scalars", "images", "audio", "histograms", "tensors"), 0)
    return EventAccumulator(str(folder / "tensorboard"), everything).Reload()


def names(folder: Path) -> set[str]:
    with (folder / "csv" / "metrics.csv").open() as file:
        return {name for row in csv.DictReader(file) for name, value in row.items() if value}


@pytest.mark.slow
def test_every_logger_has_the_same_figures(run: Path, client: MlflowClient) -> None:
    logged = names(run) - {"step"}
    assert logged >= EXPECTED
    assert logged == set(board(run).Tags()["scalars"])
    (experiment,) = client.search_experiments(filter_string="name = 'kaskad'")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert logged == tracked.data.metrics.keys()
    (offline,) = run.glob("wandb/offline-run-*/*.wandb")
    written = offline.read_bytes()
    assert not [name for name in logged if name.encode() not in written]


def test_figures_of_the_steps(run: Path) -> None:
    with (run / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    shares = [[float(row[name]) for name in TIMES] for row in rows if row["training/time/data"]]
    assert [sum(epoch) for epoch in shares] == pytest.approx([1.0, 1.0])
    norms = [row["training/gradient_norm_step"] for row in rows]
    assert all(float(norm) > 0.001 for norm in norms if norm)  # before it was clipped
    assert len({row["training/learning_rate"] for row in rows}) > 2
    (line,) = (each for each in (run / "log.txt").read_text().splitlines() if "epoch 2/2" in each)
    for shown in ("loss", "WER", "learning rate", "gradient norm", "waiting for data", "memory"):
        assert shown in line
    assert "0.0 minutes left" in line


def test_tensorboard_has_its_pages(run: Path) -> None:
    events = board(run)
    tags = events.Tags()
    kinds = {kind: {f"samples/{n}/{kind}" for n in range(1, 5)} for kind in ("features", "audio")}
    assert set(tags["images"]) == kinds["features"]
    assert set(tags["audio"]) == kinds["audio"]
    assert tags["histograms"] == ["validation/utterance_wer"]
    assert len(events.Tensors("samples/hypotheses/text_summary")) == 2
    text = events.Tensors("samples/hypotheses/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("| sample | utterance | reference | hypothesis |")
    assert text.count("| два |") == text.count("| пять |") == 2  # of 8, one in each quarter
    assert events.SummaryMetadata("custom_scalars__config__")
    hyper_parameters = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    assert b"optimizer.lr" in hyper_parameters


def test_mlflow_has_its_pages(run: Path, client: MlflowClient) -> None:
    tracked = client.get_run((run / "mlflow_run_id.txt").read_text())
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params["optimizer.lr"] == "0.004"
    assert tracked.data.params["model"] == "cnn2d_lstm"
    pages = {page.path for page in client.list_artifacts(tracked.info.run_id, "samples/hypotheses")}
    assert pages == {"samples/hypotheses/step_0000003.md", "samples/hypotheses/step_0000006.md"}
    (sound,) = client.list_artifacts(tracked.info.run_id, "samples/4")
    assert sound.path == "samples/4/audio.wav"
    assert len(client.list_artifacts(tracked.info.run_id, "images")) >= 4


def test_a_resumed_run_goes_on_in_its_trackers(run: Path, client: MlflowClient, compose) -> None:
    (begun,) = run.glob("wandb/offline-run-*")
    (run / "report.json").unlink()
    train(compose("train", run, f"resume={run}"))  # what is left to do is the test
    assert len(client.search_runs([e.experiment_id for e in client.search_experiments()])) == 1
    assert {path.name[-8:] for path in run.glob("wandb/offline-run-*")} == {begun.name[-8:]}
    assert client.get_run((run / "mlflow_run_id.txt").read_text()).data.params["seed"] == "0"


def test_no_file_holds_the_password(run: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_figures_wait_for_a_server_that_is_away(server, client, tmp_path, caplog) -> None:
    logger = MLflow(str(tmp_path), "", "", "away", "run")
    server.stop()
    for step in range(3):
        logger.log_metrics({"loss": 0.5}, step)
        logger.save()
    logger.show_histogram("errors", torch.ones(3).numpy(), 0)
    logger.finalize("success")
    warning = next(each for each in caplog.messages if "the run goes on" in each)
    assert warning.startswith(f"http://127.0.0.1:{server.port}: ")
    assert "3 figures and 1 other things did not get through" in caplog.text
    assert TOKEN not in caplog.text
    server.start()
    logger.log_metrics({"loss": 0.5}, 3)
    logger.finalize("success")
    history = client.get_metric_history(logger.run_id, "loss")
    assert [figure.step for figure in history] == [0, 1, 2, 3]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[str]:
    connection = sqlite3.connect(tmp_path / "locked.db")
    connection.execute("BEGIN EXCLUSIVE")
    yield f"sqlite:///{tmp_path}/locked.db"
    connection.close()


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("locked", "database is locked"),
        ("sqlite:////proc/mlflow.db", "unable to open database file"),
        (f"http://somebody:{TOKEN}@127.0.0.1:9", "Max retries exceeded"),
        (f"postgresql://somebody:{TOKEN}@127.0.0.1:9/runs", "psycopg|refused"),
    ],
)
def test_a_tracker_that_cannot_be_opened_ends_a_run_before_it_trains(
    uri, told, compose, tone_corpus, request, tmp_path, monkeypatch
) -> None:
    uri = request.getfixturevalue(uri) if uri == "locked" else uri
    monkeypatch.setenv(ADDRESS, uri)
    monkeypatch.setattr("kaskad.loggers.tracking_uri.SECONDS", 0.1)
    overrides = [*SMALL, f"data.root={tone_corpus}", "logger=mlflow"]
    (tmp_path / "run").mkdir()
    with pytest.raises(InstantiationException, match=told) as caught:
        train(compose("train", tmp_path / "run", *overrides))
    assert "set MLFLOW_TRACKING_URI" in str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_features_are_drawn_from_bottom_to_top_and_loud_is_dark() -> None:
    features = torch.tensor([[0.0, 4.0], [1.0, 2.0], [0.0, 0.0]])
    picture = draw_features(features)[::CELL, ::CELL]
    assert draw_features(features).shape == (2 * CELL, 3 * CELL)
    assert picture.tolist() == [[0.0, 0.5, 1.0], [1.0, 0.75, 1.0]]
