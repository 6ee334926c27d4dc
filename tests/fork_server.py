"""Runs commands as processes of their own, without importing torch for each of them.

This process imports everything once, and each command is a fork of it. It trains nothing itself, so
that every fork starts from the same state. Requests are lines of JSON on its input, each with
one line of JSON as its answer:

    {"start": {…the arguments of become…}}   the process id of a command that has begun
    {"wait": [1234, 1235]}                   process id and exit code of the first that ends
"""

import atexit
import gc
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from pytorch_lightning.utilities import rank_zero_only

import kaskad.commands.evaluate
import kaskad.commands.train  # noqa: F401 - what costs most of the start of a command

SECONDS = 300  # until a command that hangs is ended


def become(
    arguments: list[str],
    directory: str,
    environment: dict[str, str],
    output: str,
    errors: str,
    first: str = "",
) -> None:
    """Run a command as a shell would.

    Args:
        arguments: what follows ``python``: a script, or ``-m`` and a module, and its arguments.
        directory: the working directory.
        environment: all variables of the environment.
        output: the file to which standard output goes.
        errors: the file to which errors go; the same file for both.
        first: Python code to run before the command.
    """
    os.setsid()  # a signal to the group reaches the data workers, too, as from a terminal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(SECONDS)
    os.environ.clear()
    os.environ.update(environment)
    rank_zero_only.rank = int(environment.get("RANK", 0))  # Lightning reads it when imported
    os.chdir(directory)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    for stream, path in ((sys.stdout, output), (sys.stderr, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream.fileno())
        stream.reconfigure(line_buffering=True)
    exec(first, {})
    if arguments[0] == "-m":
        sys.path.insert(0, directory)
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(directory, arguments[0]).parent))
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def run_to_the_end(command: dict[str, Any]) -> None:
    """End the process as Python does, except that memory is not tidied up: that took 2 seconds."""
    code: Any = 0
    try:
        become(**command)
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as at a usual end
    atexit._run_exitfuncs()
    with suppress(OSError):  # a command may have closed it
        sys.stdout.flush()
    # Python's own end would wait for ever, for threads of libraries that a fork does not have.
    os._exit(code)


def serve() -> dict[str, Any] | None:
    """Answer requests to the end of the input; in a fork, return what it is to become."""
    ended: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer: Any = os.fork()
            if answer == 0:
                return request["start"]
        else:
            while not (found := [number for number in request["wait"] if number in ended]):
                number, status = os.wait()
                ended[number] = os.waitstatus_to_exitcode(status)
            answer = (found[0], ended.pop(found[0]))
        print(json.dumps(answer), flush=True)
    return None


if __name__ == "__main__":
    Plugins.instance()  # which looks for Hydra's plugins among all installed packages
    gc.freeze()  # forks leave alone what is there by now, and so share its memory
    if command := serve():
        run_to_the_end(command)
