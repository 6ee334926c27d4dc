"""What a request meets first: the token, room for one more, the size and the time of its body."""

import asyncio
import secrets
from collections.abc import Mapping
from time import monotonic
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaskad.serving.service import Service

TRANSCRIPTIONS = "/v1/audio/transcriptions"
ENDPOINTS = ("/", "/health", "/metrics", "/v1/models", "/v1/stream", TRANSCRIPTIONS)


def failure(
    message: str, status: int, code: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error in the form that clients of the transcription API know."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status, dict(headers or {}))


def is_welcome(token: str | None, headers: Mapping[str, str], given: object = None) -> bool:
    """Whether a request may come in: no token is asked for, or it has the right one.

    It is compared in constant time, so that nobody can feel their way to it.
    """
    if token is None:
        return True
    if not isinstance(given, str):
        kind, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if kind.lower() == "bearer" else ""
    return secrets.compare_digest(given.encode(), token.encode())


class Gate:
    """ASGI middleware around the service; WebSockets pass, and are looked at where they end."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        figures, began, status = self.service.figures, monotonic(), 500
        path = scope["path"]
        endpoint = path if path in ENDPOINTS else "other"

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, counted)
            elif path == TRANSCRIPTIONS and scope["method"] == "POST":
                self.service.requests += 1
                try:
                    await self.app(scope, self._bounded(receive), counted)
                finally:
                    self.service.requests -= 1
            else:
                await self.app(scope, receive, counted)
        finally:
            figures.requests.labels(endpoint, str(status)).inc()
            figures.seconds.labels(endpoint).observe(monotonic() - began)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Why a request does not come in."""
        service, path = self.service, scope["path"]
        headers = Headers(scope=scope)
        if path.startswith("/v1/") and not is_welcome(service.token, headers):
            asked = {"WWW-Authenticate": "Bearer"}
            return failure("the token is missing or wrong", 401, "invalid_api_key", asked)
        if path != TRANSCRIPTIONS or scope["method"] != "POST":
            return None
        if service.closing.is_set():
            return failure("the service is closing", 503, headers={"Retry-After": "5"})
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            return failure(self._too_large, 413)
        if service.requests >= service.limits.requests:
            again = {"Retry-After": "1"}
            return failure(f"{service.requests} requests are at work already", 503, headers=again)
        return None

    @property
    def _most_bytes(self) -> float:
        return self.service.limits.megabytes * 1_000_000

    @property
    def _too_large(self) -> str:
        return f"the body is larger than {self.service.limits.megabytes:g} MB"

    def _bounded(self, receive: Receive) -> Receive:
        """The body of a request, as long as it is not too large and does not take too long."""
        size = 0
        is_whole = False
        until = monotonic() + self.service.limits.timeout

        async def bounded() -> Message:
            nonlocal size, is_whole
            if is_whole:  # a wait for the end of the connection
                return await receive()
            try:
                async with asyncio.timeout(until - monotonic()):
                    message: dict[str, Any] = dict(await receive())
            except TimeoutError as error:
                raise HTTPException(408, "the body took too long to arrive") from error
            size += len(message.get("body", b""))
            if size > self._most_bytes:
                raise HTTPException(413, self._too_large)
            is_whole = not message.get("more_body", False)
            return message

        return bounded
