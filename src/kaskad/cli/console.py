"""Printing never fails a run: where the console lacks the letters, a pipe is closed, or there is no
console at all."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class ForgivingStream:
    """A text stream whose failures are nobody's business: what cannot be printed is left out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._give_up()

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self) -> None:
        """Send what is still to come nowhere: else Python fails on it once more when it ends."""
        try:
            place = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != place:  # as it is where that was closed
                os.dup2(nowhere, place)
                os.close(nowhere)
        except (OSError, ValueError):  # it is no file, or is closed
            pass


def open_closed_streams() -> None:
    """Give standard streams that were closed, as by `>&-`, a place that discards what is written.

    Else the next file that is opened takes the number of such a stream, and gets what is printed: a
    checkpoint, or the pipe through which a data worker sends its batches.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The numbers below are taken, so this one is the lowest that is free.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            if getattr(sys, name) is None:
                mode = "r" if name == "stdin" else "w"
                setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


@contextmanager
def forgiving_console() -> Iterator[None]:
    """Let nothing that is printed within fail."""
    open_closed_streams()
    streams = sys.stdout, sys.stderr
    if not any(isinstance(stream, ForgivingStream) for stream in streams):
        sys.stdout, sys.stderr = (stream and ForgivingStream(stream) for stream in streams)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = streams
