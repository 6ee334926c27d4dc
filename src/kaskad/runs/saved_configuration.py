"""The configuration of a run as it is saved, and what one read from a file may hold.

Saved are plain values. Only what reads the environment stays as it was written, as in
``${oc.env:KASKAD_DATA,data}/an4``: the value may be a secret, and is another one elsewhere.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

DEPTH = 50  # containers within one another; ours have about ten
VALUES = 500_000  # a model of words has a list of them
# All that may stand unresolved in a file; it is text until a user's own configuration says it, too.
READS_ENVIRONMENT = re.compile(
    r"\$\{oc\.env:\w+(?:,[^${}]*)?\}|\$\{oc\.decode:\$\{oc\.env:\w+(?:,[^${}]*)?\}\}"
)
MARK = "KASKAD_READS_ENVIRONMENT_"  # stands in for that while all else is resolved
PLAIN = (str, int, float, bool, type(None))


def saved_form(config: DictConfig) -> dict[str, Any]:
    """``config`` as plain values, resolved but for what reads the environment."""
    written: list[str] = []

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(child) for key, child in value.items()}
        if isinstance(value, list):
            return [kept(child) for child in value]
        if isinstance(value, str) and "oc.env:" in value:
            return "".join(_with_marks(value, written))
        return value

    marked = OmegaConf.create(kept(OmegaConf.to_container(config, resolve=False)))
    resolved = OmegaConf.to_container(marked, resolve=True)

    def put_back(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put_back(child) for key, child in value.items()}
        if isinstance(value, list):
            return [put_back(child) for child in value]
        if isinstance(value, str) and MARK in value:
            return re.sub(rf"{MARK}(\d+)E", lambda found: written[int(found[1])], value)
        return value

    return cast(dict[str, Any], put_back(resolved))


def _with_marks(value: str, written: list[str]) -> Iterator[str]:
    """``value`` in parts, with a mark for each interpolation that reads the environment."""
    position = 0
    for begin, end in _interpolations(value):
        yield value[position:begin]
        interpolation = value[begin:end]
        if "oc.env:" in interpolation:
            yield f"{MARK}{len(written)}E"
            written.append(interpolation)
        else:
            yield interpolation
        position = end
    yield value[position:]


def _interpolations(value: str) -> Iterator[tuple[int, int]]:
    """Where each outermost ``${…}`` begins and ends."""
    depth = begin = 0
    for place in re.finditer(r"\$\{|\{|\}", value):
        if place[0] != "}":
            if depth == 0:
                if place[0] == "{":
                    continue
                begin = place.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                yield begin, place.end()


def fault_of(
    value: Any,
    name: str,
    *,
    may_read_environment: bool = False,
    most: float = math.inf,
    values: int = VALUES,
) -> str | None:
    """Why a configuration that was read from a file cannot be used; None where it can.

    It may hold plain values alone: dictionaries whose keys are text, lists, text without ``${``,
    numbers, booleans and None.

    Args:
        value: The configuration, or a part of it.
        name: What it is called in the answer.
        may_read_environment: Whether text may hold an interpolation that reads the environment.
        most: The largest whole number that it may hold.
        values: How many values it may have.

    Returns:
        The name of the value that is at fault, and what is wrong with it.
    """
    left = values
    waiting: list[tuple[str, Any, int]] = [(name, value, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        left -= 1
        if left < 0:
            return f"has more than {values:,} values"
        if depth > DEPTH:
            return f"{_short(name)}: lies {DEPTH} containers deep, or in itself"
        if type(value) is dict:
            for key, child in value.items():
                if type(key) is not str or "${" in key:
                    return (
                        f"{_short(name)}: has the key {_short(repr(key))}, which is no plain text"
                    )
                waiting.append((f"{name}.{key}", child, depth + 1))
        elif type(value) is list:
            waiting += [(f"{name}[{n}]", child, depth + 1) for n, child in enumerate(value)]
        elif type(value) is int and abs(value) > most:
            return f"{_short(name)}: is {_short(repr(value))}, far more than there are weights"
        elif type(value) not in PLAIN:
            return f"{_short(name)}: is a {type(value).__name__}, no plain value"
        elif type(value) is str:
            text = READS_ENVIRONMENT.sub("", value) if may_read_environment else value
            if "${" in text:
                return f"{_short(name)}: {_short(value)} would be computed when it is read"
    return None


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
