"""SIGTERM and Ctrl-C: the first asks a run to stop where it can go on later, a second ends it."""

import os
import signal
import threading
from types import FrameType
from typing import Any

ANSWER = b"\nStopping after this step, or this validation; once more stops at once.\n"


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
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers.setdefault(number, signal.getsignal(number))
                signal.signal(number, self._hear)

    def ignore(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._listening = False

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
            os.write(2, ANSWER)  # a logger might be at work right now
