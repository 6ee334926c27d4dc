"""Notices reach a service if they can; if they cannot, the training does not notice."""

import base64
import json
import logging
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hydra.utils import instantiate

from kaskad.callbacks.notifications.notices import CRITICAL, ORDINARY
from kaskad.callbacks.notifications.outbox import ROOM, Notice, Outbox
from kaskad.commands.train import train

TRAIN = Path(__file__).parents[3] / "train.py"
TOKEN = "s3cr3tT0ken"
SMALL = [
    "callbacks=notices",
    "callbacks.notices.interval=0",
    "callbacks.notices.backoff=0.05",
    "data=table",
    "overlap=none",
    "logger=many",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=2",
    "trainer.limit_test_batches=1",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "model.encoder={hidden_size: 8, layers: 1, channels: [4, 4]}",
]


class Service(ThreadingHTTPServer):
    """Keeps what it is sent; answers the first ``failures`` requests with 503, each when let."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.failures = failures
        self.requests = 0
        self.got: list[dict] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"json://{TOKEN}@127.0.0.1:{self.server_port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [notice["title"] for notice in self.got]


class Answer(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        fails = self.server.requests <= self.server.failures
        self.server.may_answer.wait(30)
        if not fails:
            self.server.got.append(json.loads(body))
        self.send_response(503 if fails else 200)
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def serve():
    """Start services; they end with the test."""
    running: list[Service] = []

    def start(failures: int = 0) -> Service:
        running.append(Service(failures))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for service in running:
        service.may_answer.set()
        service.shutdown()
        service.server_close()


@pytest.fixture
def start(compose, tone_corpus: Path, tmp_path: Path, monkeypatch):
    """Train for two short epochs, with these variables of the environment."""

    def start_with(*overrides: str, **variables: str) -> dict[str, float]:
        for name in (ORDINARY, CRITICAL):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return train(compose("train", tmp_path, *SMALL, f"data.root={tone_corpus}", *overrides))

    return start_with


def outbox(url: str, attempts: int = 4) -> Outbox:
    return Outbox("TEST (1)", url, attempts, backoff=0.01)


def test_each_epoch_and_the_end_with_its_figures_are_told(start, serve) -> None:
    service = serve()
    figures = start("callbacks.notices.prefix=tones", KASKAD_NOTIFY=service.url)
    assert service.titles == ["tones: epoch 1 of 2", "tones: epoch 2 of 2", "tones: finished"]
    first, second, end = (notice["message"] for notice in service.got)
    for name in ("training/loss_epoch", "validation/loss", "validation/wer"):
        assert re.search(rf"^{name} \d", second, re.MULTILINE)
    assert "best validation/wer so far" in first and "minutes left" in first
    assert f"test/wer {figures['test/wer']:.4g}" in end.splitlines()


def test_an_epoch_without_a_validation_repeats_no_old_figures(start, serve) -> None:
    service = serve()
    start("trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2", KASKAD_NOTIFY=service.url)
    first, second, third, _ = (notice["message"].splitlines() for notice in service.got)
    assert not [line for line in first if "validation/" in line]
    assert [line for line in second if line.startswith("validation/wer")]
    told = [line for line in third if "validation/" in line]
    assert len(told) == 1 and told[0].startswith("best validation/wer so far")


def test_the_learning_curve_goes_along(start, serve) -> None:
    service = serve()
    start(KASKAD_NOTIFY=service.url)
    pictures = [base64.b64decode(n["attachments"][0]["base64"]) for n in service.got]
    assert len(pictures) == 3 and all(p.startswith(b"\x89PNG") for p in pictures)
    assert pictures[0] != pictures[1]  # an epoch more
    service.got.clear()
    start("callbacks.notices.picture=false", KASKAD_NOTIFY=service.url)
    assert all(not notice["attachments"] for notice in service.got)


def test_epochs_keep_an_interval_and_the_end_does_not(start, serve) -> None:
    service = serve()
    start("callbacks.notices.interval=3600", KASKAD_NOTIFY=service.url)
    assert [title.split(": ")[1] for title in service.titles] == ["epoch 1 of 2", "finished"]


def test_a_failure_goes_to_both_channels_with_its_last_lines(start, serve, monkeypatch) -> None:
    ordinary, critical = serve(), serve()

    def fail(*_) -> None:
        raise OSError("Input/output error: the disk is dying")

    monkeypatch.setattr("kaskad.callbacks.epoch_line.EpochLine.on_train_epoch_end", fail)
    with pytest.raises(OSError):
        start(KASKAD_NOTIFY=ordinary.url, KASKAD_NOTIFY_CRITICAL=critical.url)
    (notice,) = critical.got
    assert ordinary.got[-1]["message"] == notice["message"]
    assert "failed after step 2" in notice["title"] and notice["type"] == "failure"
    assert "OSError: Input/output error: the disk is dying" in notice["message"]


def test_divergence_is_told_as_such(start, serve) -> None:
    critical = serve()
    with pytest.raises(RuntimeError, match="diverged"):
        start("callbacks.non_finite.max_steps=0", KASKAD_NOTIFY_CRITICAL=critical.url)
    assert ["diverged" in title for title in critical.titles] == [True]


def test_a_service_that_recovers_gets_all_in_order(serve) -> None:
    service = serve(failures=3)
    box = outbox(service.url)
    for number in range(5):
        box.put(Notice(str(number), "…"))
    box.drain(30)
    assert service.titles == list("01234")
    assert service.requests == 5 + 3


def test_a_slow_service_delays_nobody_and_loses_the_oldest(serve, caplog) -> None:
    service = serve()
    service.may_answer.clear()
    box = outbox(service.url)
    box.put(Notice("first", "…"))
    while service.requests == 0:  # it is on its way, the others wait
        time.sleep(0.01)
    for number in range(ROOM + 5):
        box.put(Notice(str(number), "…"))
    assert service.got == []  # and yet we are here
    box.drain(0.0)
    assert f"{ROOM + 6} of {ROOM + 6} notices did not get through" in caplog.text
    service.may_answer.set()
    box.drain(30)
    assert service.titles == ["first", *(str(number) for number in range(5, ROOM + 5))]


def test_an_unreachable_service_is_counted_and_logged(free_port, caplog) -> None:
    box = outbox(f"json://127.0.0.1:{free_port()}/{TOKEN}", attempts=2)
    box.put(Notice("epoch 1", "…"))
    box.put(Notice("epoch 2", "…"))
    box.drain(30)
    assert "TEST (1): could not send, after 2 tries, 'epoch 2'" in caplog.text
    assert "TEST (1): 2 of 2 notices did not get through" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "value, told",
    [
        (f"telegram://{TOKEN}", r"KASKAD_NOTIFY \(1\): telegram://… is not a complete URL"),
        (f"json://localhost, tgram://{TOKEN}", r"KASKAD_NOTIFY \(2\): tgram://… is not"),
        (f"12345:{TOKEN}", r"KASKAD_NOTIFY \(1\): is not a complete URL"),
        (" ", "KASKAD_NOTIFY, and failures to those of KASKAD_NOTIFY_CRITICAL as well; neither"),
    ],
)
def test_a_wrong_url_is_refused_without_its_secrets(
    value: str, told: str, compose, tmp_path: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setenv(ORDINARY, value)
    monkeypatch.delenv(CRITICAL, raising=False)
    caplog.set_level(logging.DEBUG)
    config = compose("train", tmp_path, "callbacks=notices")
    with pytest.raises(Exception, match=told) as error:
        instantiate(config.callbacks.notices)
    assert TOKEN not in str(error.getrepr(style="long").reprcrash) + caplog.text


def test_nothing_that_is_written_or_shown_holds_a_token(
    serve, free_port, fork_server, tone_corpus: Path, tmp_path: Path
) -> None:
    service, folder = serve(), tmp_path / "run"
    nobody = f"json://127.0.0.1:{free_port()}/{TOKEN}"
    arguments = [*SMALL, f"data.root={tone_corpus}", f"hydra.run.dir={folder}"]
    arguments += ["hydra.verbose=true", "callbacks.notices.attempts=2"]
    channels = {ORDINARY: f"{service.url} {nobody}", CRITICAL: service.url}
    code, output, errors = fork_server.run(
        TRAIN, *arguments, directory=tmp_path, environment=channels
    )
    assert code == 0, errors
    assert len(service.got) == 3
    assert "KASKAD_NOTIFY (2): 3 of 3 notices did not get through" in output
    assert TOKEN not in output + errors
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"train.log", "config.yaml", "environment.json"} <= {path.name for path in files}
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
