"""The service on a port, until it is told to end."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from kaskad.serving.app import make_app
from kaskad.serving.service import Service

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 2**20  # bytes of a WebSocket
FIRST_REQUEST = 20.0  # seconds within which the head of a request must be there


def serve(service: Service, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C; ``port`` 0 is any that is free.

    Raises ``ValueError`` where nothing can be served there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # whoever comes from now on waits until it is ready
        except (OSError, OverflowError) as error:
            raise ValueError(
                f"host={host} port={port}: cannot be served at: {error}; choose another port=…"
            ) from error
        name = f"[{host}]" if ":" in host else host
        log.info(
            "serving %s at http://%s:%d", ", ".join(service.models), name, listener.getsockname()[1]
        )
        Server(service).run([listener])


class Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]
    """HTTP of one connection, which is closed where no request comes soon."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST, self._close_without_request)

    def _close_without_request(self) -> None:
        # A WebSocket has another protocol by then.
        if self.cycle is None and self.transport.get_protocol() is self:
            self.transport.close()


class Server(uvicorn.Server):
    """Ends what is in work first: streams are told their last words, requests are answered, new
    ones are turned away. A second signal ends it at once."""

    def __init__(self, service: Service) -> None:
        self.service = service
        limits = service.limits
        super().__init__(
            uvicorn.Config(
                make_app(service),
                http=Protocol,
                log_config=None,
                log_level="warning",
                ws_max_size=LARGEST_MESSAGE,
                ws_max_queue=8,
                ws_per_message_deflate=False,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=round(2 * limits.timeout),
                # Of connections, those without a request among them.
                limit_concurrency=4 * (limits.requests + limits.streams),
                server_header=False,
            )
        )

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(list(sockets or []))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Answer SIGTERM and Ctrl-C."""
        if self.service.closing.is_set():
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._close()))

    async def _close(self) -> None:
        service = self.service
        log.info("closing: %d requests and %d streams left", service.requests, service.streams)
        service.closing.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(service.limits.timeout):
                while service.streams:
                    await asyncio.sleep(0.05)
        self.should_exit = True
