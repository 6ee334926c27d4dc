"""A Telegram bot beside the training: it answers the listed users, and delays nothing."""

import asyncio
import logging
import math
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from textwrap import shorten
from typing import Any, TypeVar

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.methods import TelegramMethod
from aiogram.types import Message, Update
from aiogram.utils.token import TokenValidationError

log = logging.getLogger(__name__)

TOKEN = "KASKAD_TELEGRAM_TOKEN"
# Seconds: that the server may wait for news; that another answer of its may take; the longest from
# one attempt to the next; that a run waits at its end for what is being answered.
NEWS, ANSWER, LONGEST_WAIT, PATIENCE = 20, 10, 60.0, 5.0
ATTEMPTS = 3  # to send an answer

Result = TypeVar("Result")


class TelegramBot:
    """Has ``router`` answer the private messages of ``users``, by their ids, from ``start`` to
    ``close``, in a thread of its own. Others get no answer; they are counted, and logged once each.

    Messages from before the start are ignored: they were meant for another run. A server that
    cannot be reached is tried again after ``backoff`` seconds, then after twice as long each time,
    up to a minute; that is logged once, and counted. ``api`` is the server's URL, null for
    Telegram's own.

    The token is that in the environment variable ``KASKAD_TELEGRAM_TOKEN``; nothing that is logged
    holds it. Raises ``ValueError`` if there is none, or a wrong one, and without users.
    """

    def __init__(
        self, router: Router, users: Collection[int], api: str | None, backoff: float
    ) -> None:
        # What it logs may have the token in it.
        logging.getLogger("aiogram").setLevel(logging.CRITICAL)
        if not users:
            raise ValueError(
                "callbacks.remote.users: nobody is listed who may ask and stop this run; give "
                "Telegram's ids of some, as @userinfobot tells them: callbacks.remote.users=[…]"
            )
        if api is not None and not api.startswith(("http://", "https://")):
            raise ValueError(f"callbacks.remote.api={api}: not a URL like http://localhost:8081")
        server = PRODUCTION if api is None else TelegramAPIServer.from_base(api)
        token = os.environ.get(TOKEN, "").strip()
        try:
            self._bot = Bot(token, AiohttpSession(api=server, timeout=ANSWER))
        except TokenValidationError:
            raise ValueError(
                f"callbacks=remote wants the token of a bot in the environment variable {TOKEN}, "
                f"which is {'none' if token else 'not set'}; ask @BotFather for one: "
                f"export {TOKEN}=<digits>:<letters>"
            ) from None
        self.users = frozenset(users)
        self.backoff = backoff
        self.failures = 0  # requests
        self.strangers: Counter[int] = Counter()  # their messages
        self._secret = token.partition(":")[2]
        self._dispatcher = Dispatcher(disable_fsm=True)
        self._dispatcher.message.filter(F.chat.type == "private", self._is_listed)
        self._dispatcher.include_router(router)
        self._answers: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="telegram", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering. What is being sent has a moment to get through."""
        if self._thread is None:
            return
        with suppress(RuntimeError):  # the thread has ended before
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(PATIENCE)
        self._thread = None
        if self.failures:
            log.warning("Telegram: %d requests failed", self.failures)
        if self.strangers:
            messages, people = self.strangers.total(), len(self.strangers)
            log.warning("Telegram: %d messages of %d strangers not answered", messages, people)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with self._bot:
            listening = asyncio.create_task(self._listen())
            await self._closing.wait()
            listening.cancel()
            if self._answers:
                await asyncio.wait(self._answers)

    async def _listen(self) -> None:
        bot, offset = self._bot, None
        await self._insist(bot.delete_webhook, drop_pending_updates=True)
        while True:
            updates = await self._insist(
                bot.get_updates,
                offset=offset,
                timeout=NEWS,
                allowed_updates=["message"],
                request_timeout=NEWS + ANSWER,
            )
            for update in updates:
                offset = update.update_id + 1
                answer = asyncio.create_task(self._answer(update))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)

    async def _answer(self, update: Update) -> None:
        try:
            answer = await self._dispatcher.feed_update(self._bot, update)
            if isinstance(answer, TelegramMethod):
                await self._insist(self._bot, answer, attempts=ATTEMPTS)
        except Exception as error:  # whatever it is, the training goes on
            log.warning("Telegram: a message has got no answer: %s", self._without_token(error))

    async def _insist(
        self,
        request: Callable[..., Awaitable[Result]],
        *arguments: Any,
        attempts: float = math.inf,
        **keywords: Any,
    ) -> Result:
        """What the server answers to a request, which is tried so often."""
        failed, wait = 0, self.backoff
        while True:
            try:
                result = await request(*arguments, **keywords)
            except Exception as error:
                failed += 1
                self.failures += 1
                if failed == attempts:
                    raise
                if failed == 1:
                    message = self._without_token(error)
                    log.warning("Telegram cannot be reached, and is tried again: %s", message)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                if failed:
                    log.info("Telegram can be reached again, after %d failed requests", failed)
                return result

    async def _is_listed(self, message: Message) -> bool:
        user = message.chat.id  # of a private chat, it is that of the user
        if user in self.users:
            return True
        if user not in self.strangers:
            log.warning("Telegram: user %d is not listed, and gets no answer", user)
        self.strangers[user] += 1
        return False

    def _without_token(self, error: Exception) -> str:
        message = f"{type(error).__name__}: {error}".replace(self._secret, "…")
        return shorten(message, 300)
