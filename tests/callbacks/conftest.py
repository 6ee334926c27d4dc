"""What tests of callbacks share: a server of Telegram's Bot API on this machine."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web


class BotAPI:
    """Delivers messages to the bot of this token, from ``user`` by default, and
    keeps what is answered.

    The first ``failures`` requests get 502 and a page with their address, as from a proxy.
    """

    def __init__(self, token: str, user: int, failures: int = 0) -> None:
        self.token = token
        self.user = user
        self.failures = failures
        self.requests: list[str] = []
        self.waiting: list[dict] = []
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.files: dict[str, bytes] = {}
        self.is_asked = threading.Event()
        self.url = ""
        self._sent, self._ended = 0, False
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._started.wait()

    def say(self, user: int | None = None, **content: Any) -> None:
        self._sent += 1
        user = user or self.user
        chat = {"id": user, "type": "private", "first_name": "…"}
        sender = {"id": user, "is_bot": False, "first_name": "…"}
        message = {"message_id": self._sent, "date": 1, "chat": chat, "from": sender, **content}
        self.waiting.append({"update_id": self._sent, "message": message})

    def ask(self, text: str) -> str:
        self.say(text=text)
        return self.answers.get(timeout=60)["text"]

    def send_voice(self, audio: bytes, seconds: int = 1) -> str:
        self.files["voice.oga"] = audio
        self.say(voice={"file_id": "v", "file_unique_id": "v", "duration": seconds})
        return self.answers.get(timeout=60)["text"]

    def end(self) -> None:
        self._ended = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_post("/bot{token}/{method}", self._answer)
        application.router.add_get("/file/bot{token}/{path}", self._file)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _file(self, request: web.Request) -> web.Response:
        assert request.match_info["token"] == self.token
        return web.Response(body=self.files[request.match_info["path"]])

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.match_info["token"] == self.token
        method, fields = request.match_info["method"], dict(await request.post())
        self.requests.append(method)
        if len(self.requests) <= self.failures:
            return web.Response(status=502, text=f"<html>no answer from {request.url}</html>")
        return web.json_response({"ok": True, "result": await self._result(method, fields)})

    async def _result(self, method: str, fields: dict[str, Any]) -> Any:
        match method:
            case "deleteWebhook":
                if fields["drop_pending_updates"] == "true":
                    self.waiting.clear()
                return True
            case "getUpdates":
                self.is_asked.set()
                self.waiting = self._after(int(fields.get("offset", 0)))
                until = time.monotonic() + int(fields["timeout"])
                while not self.waiting and not self._ended and time.monotonic() < until:
                    await asyncio.sleep(0.01)
                return self.waiting
            case "getFile":
                return {"file_id": "v", "file_unique_id": "v", "file_path": "voice.oga"}
            case "sendMessage" | "sendPhoto":
                if "photo" in fields:  # the name of a part: attach://<name>
                    part = fields[fields["photo"].removeprefix("attach://")]
                    fields["photo"] = part.file.read()
                self.answers.put(fields)
                chat = {"id": int(fields["chat_id"]), "type": "private"}
                return {"message_id": 1, "date": 1, "chat": chat}
        raise web.HTTPNotFound

    def _after(self, offset: int) -> list[dict]:
        return [update for update in self.waiting if update["update_id"] >= offset]


@pytest.fixture
def bot_api() -> Iterator[Callable[..., BotAPI]]:
    """Start servers; they end with the test."""
    running: list[BotAPI] = []

    def start(token: str, user: int, failures: int = 0) -> BotAPI:
        running.append(BotAPI(token, user, failures))
        return running[-1]

    yield start
    for server in running:
        server.end()
