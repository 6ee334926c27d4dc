"""Signals that ask a run to stop where it can go on later; a second one ends it at once.

SIGINT is Ctrl-C, SIGTERM a cluster's or a machine's "end", SIGHUP a terminal that is closed, and
SIGUSR1 or SIGUSR2 what Slurm is asked to send before a job's time is up (``--signal=USR1@90``).
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # of the end of a job's time
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *WARNINGS)
ECHO = 1.0  # seconds within which a second signal is the first once more, by another way
PR_SET_PDEATHSIG = 1  # of Linux
ANSWER = b"\nStopping after this step, or this validation; once more stops at once.\n"


@contextmanager
def handed_on(processes: Callable[[], Iterable[int]]) -> Iterator[list[int]]:
    """Have ``processes``, for which this one waits, answer the signals that ask it to stop.

    A signal may come to this process alone, or to all of them: they take two within ``ECHO`` for
    one. A second one kills them. The list that is yielded has the signals that came; in the end,
    who had the first of them before answers it, and this process ends.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {int(number): signal.getsignal(number) for number in NUMBERS}
    since = 0.0

    def answer(number: int, frame: FrameType | None) -> None:
        nonlocal since
        is_echo = bool(received) and time.monotonic() < since + ECHO
        if not received:
            since = time.monotonic()
        received.append(number)
        if not is_echo:
            for process in processes():
                with suppress(ProcessLookupError):
                    os.kill(process, number if len(received) == 1 else signal.SIGKILL)

    for number, handler in before.items():
        if number != signal.SIGHUP or handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, answer)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            first = before[received[0]]
            if callable(first):
                first(received[0], None)
            raise SystemExit(128 + received[0])


def ends_with_parent() -> None:
    """Have this process asked to stop (SIGTERM) when the one that has started it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class StopSignals:
    """``received`` is the first of the signals that came while this was listening.

    A terminal, torchrun or a sweep may send it to a process beside its parent, which hands it on:
    what comes within ``ECHO`` is no second one.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._since = 0.0
        self._listening = False
        self._handlers: dict[int, Any] = {}
        self._process = 0

    def listen(self) -> None:
        """Replace the handlers of the signals. Only the main thread can."""
        if threading.current_thread() is threading.main_thread() and self.received is None:
            self._listening, self._process = True, os.getpid()
            for number in NUMBERS:
                handler = self._handlers.setdefault(number, signal.getsignal(number))
                # nohup has a run survive its terminal.
                if number != signal.SIGHUP or handler is not signal.SIG_IGN:
                    signal.signal(number, self._receive)

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

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._listening:  # Lightning has put this back after an exception
            self.ignore()
            signal.raise_signal(number)
            return
        if self.received is not None:
            if time.monotonic() >= self._since + ECHO:
                self.ignore()  # so the second has its usual effect
                signal.raise_signal(number)
            return
        self.received, self._since = number, time.monotonic()
        # Data workers may die of it: not to be told in the middle of a step.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if os.getpid() == self._process:  # and not one of the data workers
            with suppress(OSError):  # the terminal may be gone
                os.write(2, ANSWER)  # a logger might be at work right now
