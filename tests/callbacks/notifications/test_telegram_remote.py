"""A run is asked and stopped from a telephone, by those who may, and learns what it would have."""

import io
import logging
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from aiogram import Router
from aiogram.types import Message
from hydra.utils import instantiate
from pytorch_lightning import Trainer

from kaskad.audio.files import AudioError
from kaskad.callbacks.last_checkpoint import LastCheckpoint
from kaskad.callbacks.notifications.telegram import TOKEN, TelegramBot
from kaskad.callbacks.notifications.telegram_remote import VoiceMessages
from kaskad.commands.train import train
from kaskad.runs.checkpoints import CheckpointError

TRAIN = Path(__file__).parents[3] / "train.py"
SECRET = "s3cr3tT0ken"
USER, STRANGER = 7, 8
SMALL = [
    "data=table",
    "overlap=none",
    "augment=full",
    "logger=csv",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=2",
    "trainer.limit_test_batches=1",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "datamodule.cache=null",
    "model.encoder={hidden_size: 8, layers: 1, channels: [4, 4]}",
]


@pytest.fixture
def serve(bot_api, monkeypatch) -> Callable[..., Any]:
    """Start servers for a bot whose token is in the environment."""
    monkeypatch.setenv(TOKEN, f"1:{SECRET}")
    return partial(bot_api, f"1:{SECRET}", USER)


@pytest.fixture
def interrupts_as_before() -> Iterator[None]:
    """Lightning has Ctrl-C ignored once it has interrupted a run."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def whole(compose, tone_corpus: Path, tmp_path_factory) -> Path:
    """The folder of a run that nobody could ask."""
    folder = tmp_path_factory.mktemp("whole")
    train(compose("train", folder, *SMALL, f"data.root={tone_corpus}"))
    return folder


@pytest.fixture(scope="module")
def one_letter(whole: Path, tmp_path_factory) -> tuple[Path, str]:
    """A checkpoint of a recogniser that outputs the same letter for everything, and the letter."""
    checkpoint = torch.load(whole / "checkpoints" / "best.ckpt", weights_only=True)
    bias = checkpoint["state_dict"]["head.bias"]
    bias.fill_(-100.0)[1] = 100.0
    path = tmp_path_factory.mktemp("one_letter") / "best.ckpt"
    torch.save(checkpoint, path)
    return path, VoiceMessages(str(path), 1.0).recogniser.tokenizer.labels[1]


@pytest.fixture
def start(compose, tone_corpus: Path, tmp_path: Path):
    """Train for two short epochs, with a remote control."""

    def start_with(url: str, *overrides: str) -> dict[str, float]:
        remote = ["callbacks=remote", f"callbacks.remote.users=[{USER}]"]
        remote += [f"callbacks.remote.api={url}", "callbacks.remote.prefix=tones"]
        settings = [*SMALL, f"data.root={tone_corpus}", *remote, *overrides]
        return train(compose("train", tmp_path, *settings))

    return start_with


@pytest.fixture
def after_first_epoch(monkeypatch):
    """Have somebody speak with the server, once, before the second epoch; the training waits."""

    def arrange(server: Any, talk: Callable[[], None]) -> None:
        go_on = LastCheckpoint.on_train_batch_start

        def talk_first(callback: LastCheckpoint, trainer: Trainer, *arguments: Any) -> None:
            if trainer.current_epoch == 1:
                monkeypatch.setattr(LastCheckpoint, "on_train_batch_start", go_on)
                assert server.is_asked.wait(60)
                talk()
            go_on(callback, trainer, *arguments)

        monkeypatch.setattr(LastCheckpoint, "on_train_batch_start", talk_first)

    return arrange


def voice(seconds: float = 1.0) -> bytes:
    """A voice message as Telegram's applications send them."""
    file = io.BytesIO()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * 48_000)) / 48_000)
    soundfile.write(file, tone, 48_000, format="OGG", subtype="OPUS")
    return file.getvalue()


def last_checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same_end(run: Path, whole: Path) -> None:
    """Same weights and optimizer after four steps, to the bit."""
    end, wanted = last_checkpoint(run), last_checkpoint(whole)
    assert end["global_step"] == wanted["global_step"] == 4
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(end[part], wanted[part], rtol=0, atol=0)


def test_listed_users_are_told_how_the_run_goes_and_others_nothing(
    start, serve, after_first_epoch, tmp_path: Path, caplog
) -> None:
    server = serve()
    told: dict[str, Any] = {}

    def talk() -> None:
        server.say(STRANGER, text="/stop yes")
        server.say(STRANGER, text="/status")
        for command in ("/status", "/best", "/stop", "/help", "hello"):
            told[command] = server.ask(command)
        server.say(text="/plot")
        told["/plot"] = server.answers.get(timeout=60)["photo"]
        told["voice"] = server.send_voice(b"")

    server.say(text="/stop yes")  # to another run, yesterday
    after_first_epoch(server, talk)
    start(server.url)
    first, figures, left = told["/status"].splitlines()
    assert first == "tones: epoch 2 of 2, step 2 of 4"
    assert figures.startswith("the last epoch: loss ") and "WER " in figures
    assert left.endswith(" minutes left")
    best, checkpoint = told["/best"].splitlines()
    assert best.startswith("best validation/wer so far ")
    assert checkpoint == str(tmp_path / "checkpoints" / "best.ckpt")
    assert told["/stop"].startswith("/stop yes ends tones")
    assert "/plot" in told["/help"] and told["hello"] == told["/help"]
    assert told["/plot"].startswith(b"\x89PNG")
    assert "callbacks.remote.decode=" in told["voice"]
    assert server.answers.empty()
    assert caplog.text.count(f"user {STRANGER} is not listed, and gets no answer") == 1
    assert "2 messages of 1 strangers not answered" in caplog.text


@pytest.mark.slow
def test_a_run_that_is_asked_and_stopped_goes_on_to_the_same_weights(
    start, serve, after_first_epoch, whole, one_letter, tmp_path, interrupts_as_before
) -> None:
    server = serve()
    recogniser, letter = one_letter
    decode = f"callbacks.remote.decode={recogniser}"
    told = []

    def talk() -> None:
        assert server.send_voice(voice()) == letter
        assert (
            server.send_voice(b"no audio")
            == "cannot be transcribed: not an audio file, or a broken one"
        )
        told.append(server.ask("/stop yes"))

    after_first_epoch(server, talk)
    with pytest.raises(SystemExit):
        start(server.url, decode)
    assert told[0].endswith(f"train resume={tmp_path}")
    assert last_checkpoint(tmp_path)["global_step"] == 2
    start(server.url, decode, f"resume={tmp_path}")
    assert_same_end(tmp_path, whole)


def test_voice_messages_that_are_too_long_are_not_heard(one_letter, monkeypatch) -> None:
    messages = VoiceMessages(str(one_letter[0]), 2.0)
    assert messages.in_words(voice(1.0)) == one_letter[1]
    for too_long in (lambda: messages.in_words(voice(3.0)), lambda: messages.check(1.0, 10**8)):
        with pytest.raises(AudioError, match="it is too long; at most 2 seconds are transcribed"):
            too_long()


def test_a_server_that_is_away_changes_nothing(
    start, whole, free_port, tmp_path: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setenv(TOKEN, f"1:{SECRET}")
    start(f"http://127.0.0.1:{free_port()}", "callbacks.remote.backoff=0.01")
    assert_same_end(tmp_path, whole)
    assert caplog.text.count("Telegram cannot be reached, and is tried again") == 1
    assert "requests failed" in caplog.text and SECRET not in caplog.text


def test_a_server_that_recovers_is_heard_again(serve, caplog) -> None:
    caplog.set_level(logging.INFO)
    server, router = serve(failures=3), Router()

    async def answer(message: Message) -> Any:
        if message.text == "fail":
            raise OSError(f"https://api.telegram.org/file/bot1:{SECRET}/voice.oga: not found")
        return message.answer("yes")

    router.message.register(answer)
    bot = TelegramBot(router, [USER], server.url, backoff=0.01)
    bot.start()
    try:
        assert server.is_asked.wait(60)
        server.say(text="fail")
        assert server.ask("are you there?") == "yes"
        server.failures = len(server.requests) + 2
        assert server.ask("still?") == "yes"
    finally:
        bot.close()
    assert bot.failures == 5
    assert "can be reached again, after 3 failed requests" in caplog.text
    assert "a message has got no answer: OSError: https://api.telegram.org" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "token, overrides, told",
    [
        ("", ["users=[7]"], "KASKAD_TELEGRAM_TOKEN, which is not set; ask @BotFather"),
        (f"bot {SECRET}", ["users=[7]"], "KASKAD_TELEGRAM_TOKEN, which is none; ask @BotFather"),
        (f"1:{SECRET}", [], r"callbacks.remote.users: nobody is listed"),
        (f"1:{SECRET}", ["users=[7]", "api=localhost"], "callbacks.remote.api=localhost: not a"),
        (f"1:{SECRET}", ["users=[7]", "decode=no.ckpt"], "no.ckpt: there is no such checkpoint"),
    ],
)
def test_what_cannot_work_is_refused_before_the_training(
    token: str, overrides: list[str], told: str, compose, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv(TOKEN, token)
    remote = ["callbacks=remote", *(f"callbacks.remote.{each}" for each in overrides)]
    config = compose("train", tmp_path, *remote)
    with pytest.raises(Exception, match=told) as error:
        instantiate(config.callbacks.remote)
    assert SECRET not in str(error.value)
    assert isinstance(error.value.__cause__, ValueError | CheckpointError)


@pytest.mark.slow
def test_nothing_that_is_written_or_shown_holds_the_token(
    serve, fork_server, tone_corpus: Path, one_letter, tmp_path: Path
) -> None:
    server, folder = serve(failures=2), tmp_path / "run"
    remote = [f"users=[{USER}]", f"api={server.url}", "backoff=0.01"]
    remote.append(f"decode={one_letter[0]}")
    arguments = [*SMALL, f"data.root={tone_corpus}", f"hydra.run.dir={folder}"]
    arguments += ["callbacks=remote", *(f"callbacks.remote.{each}" for each in remote)]
    arguments += ["hydra.verbose=true", "trainer.max_epochs=100000"]
    run = fork_server.start(
        TRAIN,
        *arguments,
        directory=tmp_path,
        environment={"PYTHONASYNCIODEBUG": "1"},
        together=True,
    )
    try:
        assert server.is_asked.wait(120), run.output
        server.ask("/status")
        server.say(voice={"file_id": "v", "file_unique_id": "v", "duration": 1})  # gone: 500
        assert "stopping" in server.ask("/stop yes")
        assert run.wait() == 130
    finally:
        run.kill()
    shown = run.output
    assert "Telegram cannot be reached, and is tried again" in shown
    assert "a message has got no answer" in shown
    assert "to go on: " in shown
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"train.log", "config.yaml", "last.ckpt"} <= {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
