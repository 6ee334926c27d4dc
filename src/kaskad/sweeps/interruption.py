"""A sweep that is interrupted says how it goes on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kaskad.config.overrides import command_again


@contextmanager
def show_how_to_go_on(key: str, value: str) -> Iterator[None]:
    """Where a signal ends what is within, print this command again, with ``key=value``."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(f"to go on with this sweep: {command_again(key, value)}", file=sys.stderr)
        raise
