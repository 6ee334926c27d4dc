"""Whether somebody looks at the console of this process, or a file is written."""

import sys


def shows_bars() -> bool:
    """Whether progress bars make sense: in a terminal or a notebook, not in the log of a job."""
    return sys.stdout.isatty() or "ipykernel" in sys.modules
