"""Which extra of the package brings a library that is missing."""

import re
from importlib.metadata import PackageNotFoundError, requires


def how_to_install(module: str) -> str | None:
    """Return the command that installs what ``import module`` wants, if an extra brings it.

    What the extras hold is read from the metadata of the installed package, which come from
    ``setup.cfg``.
    """
    try:
        requirements = requires("kaskad") or []
    except PackageNotFoundError:  # the sources, without an installation
        return None
    wanted = _plain(module.partition(".")[0])
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if name and extra and _plain(name[0]).startswith(wanted):
            return f"pip install 'kaskad[{extra[1]}]'"
    return None


def _plain(name: str) -> str:
    """``crowd-kit`` is imported as ``crowdkit``."""
    return re.sub(r"[-_.]", "", name).lower()
