"""What cannot be printed is left out, and never ends a run."""

import io
import os
import sys

from kaskad.cli.console import ForgivingStream, forgiving_console


def test_letters_that_a_console_lacks_are_replaced(monkeypatch) -> None:
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    with forgiving_console():
        print("WER 3 %, «сорок»")
    assert sys.stdout is console
    assert console.buffer.getvalue() == b"WER 3 %, ???????\n"


def test_a_pipe_that_is_closed_takes_what_it_gets() -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `| head` does
    with os.fdopen(writer, "w") as pipe:
        stream = ForgivingStream(pipe)
        for _ in range(3):
            assert stream.write("x" * 100_000) == 100_000
            stream.flush()
    stream.write("after the end")
