"""Signals that ask a run to stop where it can go on later; a second one ends it at once.

SIGINT is Ctrl-C, SIGTERM a cluster's or a machine's "end", SIGHUP a terminal that is closed, and
SIGUSR1 or SIGUSR2 what Slurm is asked to send before a job's time is up (``--signal=USR1@90``).
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # of the end of a job's time
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *WARNINGS)
ANSWER = b"\nStopping after this step, or this validation; once more stops at once.\n"


@contextmanager
def warnings_put_off() -> Iterator[list[int]]:
    """Let processes that this one waits for answer ``WARNINGS``, which go to all of a job's; the
    list that is yielded has those that came. In the end who had them before answers the first."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = {number: signal.getsignal(number) for number in WARNINGS}
    for number in WARNINGS:
        signal.signal(number, lambda number, frame: heard.append(number))
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(heard[0])


class StopSignals:
    """``heard`` is the first of the signals that came while this was listening."""

    def __init__(self) -> None:
        self.heard: int | None = None
        self._listening = False
        self._handlers: dict[int, Any] = {}
        self._process = 0

    def listen(self) -> None:
        """Take the signals over from whoever had them. Only the main thread can."""
        if threading.current_thread() is threading.main_thread() and self.heard is None:
            self._listening, self._process = True, os.getpid()
            for number in NUMBERS:
                handler = self._handlers.setdefault(number, signal.getsignal(number))
                # nohup has a run survive its terminal.
                if number != signal.SIGHUP or handler is not signal.SIG_IGN:
                    signal.signal(number, self._hear)

    def ignore(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._listening = False

    def hand_on(self, number: int) -> None:
        """Have a signal's first owner answer it: submitit, for one, queues the job again."""
        handler = self._handlers.get(number)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(number, None)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self._listening:  # Lightning has put this back after an exception
            self.ignore()
            signal.raise_signal(number)
            return
        self.heard = number
        self.ignore()  # so the second has its usual effect
        # Data workers may die of it: not to be told in the middle of a step.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if os.getpid() == self._process:  # and not one of the data workers
            with suppress(OSError):  # the terminal may be gone
                os.write(2, ANSWER)  # a logger might be at work right now
