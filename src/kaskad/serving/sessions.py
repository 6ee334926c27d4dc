"""WebSocket /v1/stream: audio goes in as it is recorded, the hypothesis so far comes back.

A client sends 16-bit samples, little-endian, one channel, in binary messages of any size. It names
``sample_rate``, ``model`` and ``endpoint`` (seconds of silence that end an utterance) behind the
address, as in ``/v1/stream?sample_rate=16000``, or in a first message in JSON, which may also hold
the ``token`` of a client that cannot send headers, as a browser. ``{"type": "finish"}`` ends it.

What comes back is JSON: ``{"type": "partial", "text", "stable", "words"}``, whose first ``stable``
words are never taken back; ``final`` in place of ``partial`` once an utterance has ended; and
``{"type": "error", "message"}`` before the connection is closed for a reason.
"""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from kaskad.audio.files import AudioError
from kaskad.decoding.hypothesis import Hypothesis
from kaskad.decoding.streaming import StreamHypothesis
from kaskad.models.streaming import Stream, StreamingError
from kaskad.serving.formats import timed
from kaskad.serving.gate import is_welcome
from kaskad.serving.service import Model, Service, UnknownModelError

router = APIRouter()

# Closing codes: RFC 6455, 7.4.1, and of the registry it begins.
NORMAL, GOING_AWAY, REFUSED, TRY_AGAIN = 1000, 1001, 1008, 1013
SAMPLE = 2  # bytes
ENDPOINT = 0.8  # seconds
MOST_JOINED = 2**20  # bytes of messages that are decoded together


class RefusedError(Exception):
    """A session that cannot go on: ``code`` closes it."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """One session, from the first message to the last."""
    service: Service = socket.app.state.service
    await socket.accept()
    try:
        if service.closing.is_set():
            raise RefusedError("the service is closing", TRY_AGAIN)
        if service.streams >= service.limits.streams:
            raise RefusedError(f"{service.streams} streams are open already", TRY_AGAIN)
        _require_own_page(socket)
        service.streams += 1
        service.figures.streams.inc()
        session = Session(service, socket)
        try:
            await session.run()
        finally:
            session.leave()
            service.streams -= 1
            service.figures.streams.dec()
    except RefusedError as refusal:
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json({"type": "error", "message": str(refusal)})
            await socket.close(refusal.code, str(refusal).encode()[:120].decode(errors="ignore"))
    except WebSocketDisconnect:
        pass


def _require_own_page(socket: WebSocket) -> None:
    """Refuse the pages of others, which a browser would let speak to this machine."""
    origin = socket.headers.get("origin")
    if origin and urlsplit(origin).netloc != socket.headers.get("host"):
        raise RefusedError(f"a page of {origin} may not connect here")


class Session:
    """One stream of a client, until it finishes, falls silent, or the service closes."""

    def __init__(self, service: Service, socket: WebSocket) -> None:
        self.service = service
        self.socket = socket
        self.rest = b""  # half a sample
        self.seconds = 0.0
        self.shown = ("", 0)
        self.coming: asyncio.Future[Any] | None = None  # the message after the last one taken

    async def run(self) -> None:
        """Serve the client; raises ``RefusedError`` where that cannot go on."""
        query = dict(self.socket.query_params)
        first = await self._receive()
        settings = query
        if isinstance(first, dict) and first.get("type") != "finish":
            settings, first = {**query, **first}, b""
        if not is_welcome(self.service.token, self.socket.headers, settings.get("token")):
            raise RefusedError("the token is missing or wrong")
        stream, model, worker = self._open(settings)
        message: bytes | dict[str, Any] | None = first
        while isinstance(message, bytes):
            data = message + await self._all_waiting()
            await self._push(stream, model, worker, data)
            message = await self._receive()
        if message is not None and message.get("type") != "finish":
            raise RefusedError('after the first message, text is {"type": "finish"} alone')
        await self._run(worker, stream.finish)
        await self._tell(stream, is_last=True)
        # The client did not finish: the service closes.
        await self.socket.close(NORMAL if message is not None else GOING_AWAY)

    def leave(self) -> None:
        """Wait for no further message."""
        if self.coming:
            self.coming.cancel()

    def _open(self, settings: Mapping[str, Any]) -> tuple[Stream, Model, ThreadPoolExecutor]:
        try:
            model = self.service.model(str(settings.get("model") or ""))
            rate = int(settings.get("sample_rate", model.sample_rate))
            endpoint = float(settings.get("endpoint", ENDPOINT))
            stream, worker = self.service.stream(model, rate, endpoint)
        except (UnknownModelError, StreamingError, AudioError) as error:
            raise RefusedError(str(error)) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedError(
                f"sample_rate is a whole number of Hz, endpoint seconds above 0: {error}"
            ) from error
        return stream, model, worker

    async def _receive(self) -> bytes | dict[str, Any] | None:
        """Samples, or what a message in JSON says; ``None`` where the service closes."""
        received = self._next()
        closing = asyncio.ensure_future(self.service.closing.wait())
        first: set[asyncio.Future[Any]] = {received, closing}
        idle = self.service.limits.idle
        try:
            await asyncio.wait(first, timeout=idle, return_when="FIRST_COMPLETED")
            if not received.done():
                if closing.done():
                    return None
                raise RefusedError(f"nothing came for {idle:g} s")
            message = received.result()
        finally:
            received.cancel()
            closing.cancel()
            self.coming = None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", NORMAL))
        if message.get("bytes") is not None:
            return bytes(message["bytes"])
        try:
            request = json.loads(message.get("text") or "")
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"a message of text is JSON; this one is not: {error}") from error
        if not isinstance(request, dict):
            raise RefusedError("a message of text is an object of JSON; this one is not")
        return request

    def _next(self) -> asyncio.Future[Any]:
        self.coming = self.coming or asyncio.ensure_future(self.socket.receive())
        return self.coming

    async def _all_waiting(self) -> bytes:
        """Samples that came while others were decoded. Together they cost about what each would
        cost by itself, so that a stream that is late catches up."""
        data = b""
        while len(data) < MOST_JOINED:
            message = self._next()
            await asyncio.sleep(0)  # lets it take what is there
            if not message.done() or message.exception() or message.result().get("bytes") is None:
                break  # nothing, or what the next _receive is for
            data += message.result()["bytes"]
            self.coming = None
        return data

    async def _push(
        self, stream: Stream, model: Model, worker: ThreadPoolExecutor, data: bytes
    ) -> None:
        data = self.rest + data
        whole = len(data) - len(data) % SAMPLE
        samples, self.rest = np.frombuffer(data[:whole], "<i2"), data[whole:]
        seconds = len(samples) / stream.sample_rate
        self.seconds += seconds
        if self.seconds > self.service.limits.duration:
            raise RefusedError(f"a stream lasts {self.service.limits.duration:g} s at most")
        # A second at a time, so that other streams have their turn.
        for start in range(0, len(samples), stream.sample_rate):
            await self._run(worker, stream.push, samples[start : start + stream.sample_rate])
            await self._tell(stream)
        self.service.figures.audio.labels(model.name, "stream").inc(seconds)

    async def _run(self, worker: ThreadPoolExecutor, work: Any, *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(worker, work, *arguments)

    async def _tell(self, stream: Stream, *, is_last: bool = False) -> None:
        for ended in stream.take_ended():
            await self.socket.send_json({"type": "final", **_as_json(ended)})
            self.shown = ("", 0)
        current = stream.hypothesis
        if not is_last and (current.text, current.stable) != self.shown:
            self.shown = (current.text, current.stable)
            await self.socket.send_json({"type": "partial", **_as_json(current)})


def _as_json(hypothesis: Hypothesis) -> dict[str, Any]:
    words = list(map(timed, hypothesis.words))
    stable = hypothesis.stable if isinstance(hypothesis, StreamHypothesis) else len(words)
    return {"text": hypothesis.text, "stable": stable, "words": words}
