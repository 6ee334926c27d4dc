"""A remote control: the state of a run, its learning curve, and its end, from a telephone."""

import asyncio
import logging
import signal
import tempfile
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.methods import SendMessage, SendPhoto
from aiogram.types import BufferedInputFile, Message

from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import read_signal
from kaskad.audio.reading import read_header
from kaskad.callbacks.last_checkpoint import LastCheckpoint
from kaskad.callbacks.notifications.learning_curve import LearningCurve
from kaskad.callbacks.notifications.telegram import TelegramBot
from kaskad.callbacks.progress import (
    TimeLeft,
    best_so_far,
    chosen_checkpoint,
    epoch_in_words,
    figures_of,
    monitored,
)
from kaskad.config.overrides import pasteable, program
from kaskad.metrics.registry import epoch_in_figures
from kaskad.models.recogniser import load_recogniser

log = logging.getLogger(__name__)

LARGEST_VOICE = 2_000_000  # bytes; Telegram takes some 4,000 a second
HELP = """\
/status: epoch, figures, time left
/plot: the learning curve
/best: the best so far, and its checkpoint
/stop: end the run after this step, with a checkpoint to go on from
a voice message: its transcript"""


class VoiceMessages:
    """Puts voice messages of at most ``seconds`` into words, by the recogniser of ``checkpoint``.

    Raises ``CheckpointError`` without one.
    """

    def __init__(self, checkpoint: str, seconds: float) -> None:
        self.seconds = seconds
        with torch.random.fork_rng(devices=[]):  # the training draws what it would have drawn
            self.recogniser, _ = load_recogniser(checkpoint)

    def in_words(self, audio: bytes) -> str:
        """The transcript of a file of audio (OGG/Opus); raises ``AudioError`` where it is none."""
        with tempfile.NamedTemporaryFile(suffix=".oga") as file:
            file.write(audio)
            file.flush()
            self.check(read_header(file.name).seconds)
            waveform = read_signal(file.name, self.recogniser.features.sample_rate)
        (hypothesis,) = self.recogniser.decode_waveforms([waveform])
        if hypothesis.problem is not None:
            raise AudioError(hypothesis.problem)
        return hypothesis.text or "(nothing)"

    def check(self, seconds: float, size: int = 0) -> None:
        """Raise ``AudioError`` for a message that is too long, in seconds or bytes."""
        if seconds > self.seconds or size > LARGEST_VOICE:
            raise AudioError(f"it is too long; at most {self.seconds:g} seconds are transcribed")


class Remote(lightning.Callback):
    """A Telegram bot that tells ``users`` how the run named ``prefix`` goes, and ends it for them.

    What they are told is what the last epoch found, so that the training is never waited for, nor
    waits. ``decode``, a checkpoint or a folder of runs, puts voice messages of ``voice_seconds`` at
    most into words, on the CPU. ``TelegramBot`` says what ``api`` and ``backoff`` are.

    Raises ``ValueError`` if the bot has no token or no users, or ``decode`` has no recogniser.
    """

    def __init__(
        self,
        prefix: str,
        users: Sequence[int],
        api: str | None = None,
        backoff: float = 1.0,
        decode: str | None = None,
        voice_seconds: float = 60.0,
    ) -> None:
        self.prefix = prefix
        self.curve = LearningCurve()
        self.bot = TelegramBot(self._router(), users, api, backoff)
        self.voice_messages = VoiceMessages(decode, voice_seconds) if decode else None
        self._one_at_a_time = asyncio.Lock()

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve.state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.curve.load_state(state["curve"])

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._trainer, self._pace = trainer, TimeLeft(trainer)
        self._note(trainer, trainer.current_epoch - 1)  # a run that goes on has figures
        if trainer.is_global_zero:
            self.bot.start()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._note(trainer, trainer.current_epoch)
        self.curve.note(self._figures, trainer.current_epoch, monitored(trainer))

    def on_exception(self, *_: Any, **__: Any) -> None:
        self.bot.close()

    def teardown(self, *_: Any, **__: Any) -> None:
        self.bot.close()

    def _note(self, trainer: lightning.Trainer, epoch: int) -> None:
        """Take down what users may ask for: numbers, so that no answer has to wait for a device."""
        self._figures = figures_of(trainer, epoch)
        self._best_so_far = best_so_far(trainer, self._figures)

    def _router(self) -> Router:
        router = Router()
        router.message.register(self._status, Command("status", ignore_mention=True))
        router.message.register(self._plot, Command("plot", ignore_mention=True))
        router.message.register(self._best, Command("best", ignore_mention=True))
        router.message.register(self._stop, Command("stop", ignore_mention=True))
        router.message.register(self._voice, F.voice)
        router.message.register(self._help)
        return router

    # The answers are given in the thread of the bot: of the trainer, they read plain values only.

    async def _status(self, message: Message) -> SendMessage:
        step, steps = self._trainer.global_step, self._pace.steps
        lines = [f"{self.prefix}: {epoch_in_words(self._trainer)}, step {step} of {steps}"]
        if figures := epoch_in_figures(self._figures):
            lines.append(f"the last epoch: {', '.join(figures)}")
        return message.answer("\n".join([*lines, *self._pace.time_left(step)]))

    async def _plot(self, message: Message) -> SendMessage | SendPhoto:
        if not self.curve.epochs:
            return message.answer("no epoch has ended yet: there is nothing to draw")
        title, monitor = self.prefix, monitored(self._trainer)
        picture = await asyncio.to_thread(self.curve.draw, title, monitor)
        return message.answer_photo(BufferedInputFile(picture, "learning_curve.png"))

    async def _best(self, message: Message) -> SendMessage:
        lines = [*self._best_so_far]
        checkpoint = chosen_checkpoint(self._trainer)
        if checkpoint and checkpoint.best_model_path:
            lines.append(checkpoint.best_model_path)
        return message.answer("\n".join(lines) or "nothing has been validated yet")

    async def _stop(self, message: Message, command: CommandObject) -> SendMessage:
        callbacks = self._trainer.callbacks  # type: ignore[attr-defined]
        last = next((each for each in callbacks if isinstance(each, LastCheckpoint)), None)
        if last is None:
            return message.answer(
                "this run keeps no checkpoint to go on from (callbacks.last_checkpoint): it can "
                "only be ended where it runs"
            )
        if command.args != "yes":
            ends = f"/stop yes ends {self.prefix}, with a checkpoint to go on from"
            return message.answer(ends)
        log.warning("Telegram: user %d stops this run", message.chat.id)
        last.signals.received = signal.SIGINT  # as the first Ctrl-C
        resume = pasteable("resume", str(last.folder.parent))
        return message.answer(
            f"{self.prefix}: stopping after this step, or this validation; to go on:\n"
            f"{program('train')} {resume}"
        )

    async def _voice(self, message: Message) -> SendMessage:
        if self.voice_messages is None:
            return message.answer(
                "to transcribe voice messages, the run needs a recogniser: "
                "callbacks.remote.decode=<checkpoint or run folder>"
            )
        assert message.voice and message.bot
        try:
            self.voice_messages.check(message.voice.duration, message.voice.file_size or 0)
            audio = await message.bot.download(message.voice)
            assert audio
            async with self._one_at_a_time:  # the training wants the processors, too
                in_words = self.voice_messages.in_words
                return message.reply(await asyncio.to_thread(in_words, audio.read()))
        except AudioError as error:
            return message.reply(f"cannot be transcribed: {error}")

    async def _help(self, message: Message) -> SendMessage:
        return message.answer(HELP)
