"""Warnings that come in floods: so many of a kind a minute, and then "and N more"."""

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as lightning

MINUTE = 60.0


@dataclass
class Flood:
    """Warnings of one kind: when the first of this minute came, how many, and the last."""

    since: float
    count: int
    last: logging.LogRecord


class MessageLimit(logging.Filter):
    """Lets ``per_minute`` warnings of a kind through to ``handler``, then tells it how many more
    there were: with the first message after that minute, or when ``tell`` is called.

    Of a kind are those of one line of code; Python's own warnings, those about one line of code.
    Messages below a warning all pass.
    """

    def __init__(
        self,
        handler: logging.Handler,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.handler = handler
        self.per_minute = per_minute
        self.clock = clock
        self._floods: dict[tuple[str, int], Flood] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = self.clock()
        self.tell(until=now - MINUTE)
        if record.levelno < logging.WARNING:
            return True
        self.handler.acquire()  # threads log, too
        try:
            flood = self._floods.setdefault(_kind(record), Flood(now, 0, record))
            flood.count += 1
            flood.last = record
            return flood.count <= self.per_minute
        finally:
            self.handler.release()

    def tell(self, until: float = math.inf) -> None:
        """Tell what was held back of the floods that began ``until`` then, and forget them."""
        self.handler.acquire()
        try:
            for kind, flood in list(self._floods.items()):
                if flood.since <= until:
                    del self._floods[kind]
                    if flood.count > self.per_minute:
                        self.handler.emit(_summary(flood, flood.count - self.per_minute))
        finally:
            self.handler.release()


class LimitMessages(lightning.Callback):
    """Limits what a run logs to ``per_minute`` warnings of a kind, in each place that logs go to.

    Python's warnings, which libraries give, become messages as well: they are limited with the
    others, and the log file of the run has them.
    """

    def __init__(self, per_minute: int = 10) -> None:
        self.per_minute = per_minute
        self._limits: list[MessageLimit] = []

    def setup(self, *_: Any, **__: Any) -> None:
        handlers = logging.getLogger().handlers
        if handlers and not self._limits:  # else nobody would see the warnings
            logging.captureWarnings(True)
            self._limits = [MessageLimit(handler, self.per_minute) for handler in handlers]
            for limit in self._limits:
                limit.handler.addFilter(limit)

    def teardown(self, *_: Any, **__: Any) -> None:
        for limit in self._limits:
            limit.handler.removeFilter(limit)
            limit.tell()
        if self._limits:
            logging.captureWarnings(False)
        self._limits = []

    def on_exception(self, *_: Any, **__: Any) -> None:
        self.teardown()


def _kind(record: logging.LogRecord) -> tuple[str, int]:
    if record.name == "py.warnings":
        return record.getMessage().partition(": ")[0], 0  # <file>:<line>: <category>: <message>
    return record.pathname, record.lineno


def _summary(flood: Flood, more: int) -> logging.LogRecord:
    summary = copy.copy(flood.last)
    summary.msg, summary.args = "… and %d more, the last: %s", (more, flood.last.getMessage())
    return summary
