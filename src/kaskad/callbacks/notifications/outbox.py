"""Notices on their way to a service, beside the training and never in its way."""

import logging
import os
import re
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import apprise
from apprise.attachment.memory import AttachMemory

log = logging.getLogger(__name__)

ROOM = 20  # notices that may wait
# Where a URL of several begins, for one of them may hold commas itself.
BETWEEN_URLS = re.compile(r"[\s,;]+(?=\w+://)")


@dataclass(frozen=True)
class Notice:
    """A message about a run; ``alarm`` if somebody should do something about it. Services that
    take a ``picture``, a PNG, get it, too."""

    title: str
    body: str
    alarm: bool = False
    picture: bytes | None = None


class Outbox:
    """Sends notices to the service at ``url``, in their order, from a thread of its own.

    A notice that does not get through is tried again, ``attempts`` times in all: after ``backoff``
    seconds, then after twice as long each time. Then it is counted as lost and logged, as is the
    oldest where too many wait. ``name`` stands for the URL in messages, for that holds secrets.

    Raises ``ValueError`` for a URL that apprise does not understand.
    """

    def __init__(self, name: str, url: str, attempts: int, backoff: float) -> None:
        # What these log has the URL in it.
        for library in ("apprise", "urllib3"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self.name = name
        self.attempts = attempts
        self.backoff = backoff
        self.accepted = self.sent = 0
        self._service = apprise.Apprise()
        if not self._service.add(url):
            scheme = re.match(r"\w+(?=://)", url)
            raise ValueError(
                f"{name}: {scheme[0] + '://… ' if scheme else ''}is not a complete URL of a "
                "service that apprise knows (https://appriseit.com/services); several are "
                "separated by spaces"
            )
        self._waiting: deque[Notice] = deque(maxlen=ROOM)
        self._changed = threading.Condition()
        self._sending = False

    def put(self, notice: Notice) -> None:
        """Have it sent soon; returns at once."""
        with self._changed:
            self.accepted += 1
            self._waiting.append(notice)
            if not self._sending:
                self._sending = True
                threading.Thread(target=self._send_all, name=self.name, daemon=True).start()

    def drain(self, seconds: float) -> None:
        """Wait until all have been sent, or given up, at most so long; tell how many were lost."""
        with self._changed:
            self._changed.wait_for(lambda: not self._sending, seconds)
            lost = self.accepted - self.sent
        if lost:
            log.warning("%s: %d of %d notices did not get through", self.name, lost, self.accepted)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._sending = False
                    self._changed.notify_all()
                    return
                notice = self._waiting.popleft()
            if self._deliver(notice):
                self.sent += 1
            else:
                log.warning(
                    "%s: could not send, after %d tries, '%s'",
                    self.name,
                    self.attempts,
                    notice.title,
                )

    def _deliver(self, notice: Notice) -> bool:
        kind = apprise.NotifyType.FAILURE if notice.alarm else apprise.NotifyType.INFO
        picture = [AttachMemory(notice.picture, "run.png", "image/png")] if notice.picture else None
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.backoff * 2 ** (attempt - 1))
            with suppress(Exception):  # whatever goes wrong in a service, the training goes on
                if self._service.notify(
                    notice.body, notice.title, kind, apprise.NotifyFormat.TEXT, attach=picture
                ):
                    return True
        return False


def outboxes(variable: str, attempts: int, backoff: float) -> list[Outbox]:
    """An outbox for each URL in an environment variable, none if there is no such variable."""
    urls = BETWEEN_URLS.split(os.environ.get(variable, "").strip(" \n,;"))
    return [
        Outbox(f"{variable} ({number})", url, attempts, backoff)
        for number, url in enumerate(filter(None, urls), start=1)
    ]
