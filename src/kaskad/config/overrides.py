"""What the command line says of a configuration, as key=value; and how to write it there."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import ListConfig, OmegaConf


def typed_overrides() -> list[str]:
    """What the command line says."""
    return as_typed(cast(ListConfig, HydraConfig.get().overrides.task))


def as_typed(overrides: ListConfig) -> list[str]:
    """With ``key=${other}`` as it is: it is not to be resolved before it is in its place."""
    return [str(override) for override in cast(list[Any], OmegaConf.to_container(overrides))]


def data_lists_as_corpora(arguments: Sequence[str]) -> list[str]:
    """``data=[a,b]`` as ``corpora=[a,b]``: tested one by one, where Hydra would merge the two. A
    task that has no name is then called ``evaluate_several``, as it is where there is a suite."""
    is_named = any(argument.startswith("task=") for argument in arguments)
    changed = []
    for argument in arguments:
        if argument.startswith(("data=[", "suite=")):
            changed += [] if is_named else ["task=evaluate_several"]
        is_list = argument.startswith("data=[")
        changed.append(argument.replace("data", "corpora", 1) if is_list else argument)
    return changed


def debug_last(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, such that ``debug=…`` has the last word over a recipe.

    Hydra appends ``+experiments=…`` to the list of defaults, and so after what stands there."""
    recipes = [each for each in arguments if re.match(r"\+experiments(@[^=]*)?=", each)]
    if not recipes:
        return list(arguments)
    debug = [each for each in arguments if re.match(r"debug=(?!null$)", each)]
    rest = [each for each in arguments if each not in debug]
    # Not at the end, where options such as --cfg may stand.
    place = rest.index(recipes[-1]) + 1
    last = [f"+debug@_global_={each.partition('=')[2]}" for each in debug]
    return [*rest[:place], *last, *rest[place:]]


def pasteable(key: str, value: str) -> str:
    """``key=value`` with all the quotes that Hydra and the shell want, ready to be pasted."""
    return for_the_shell(f"{key}={_readable(value)}")


def as_text(key: str, value: object) -> str:
    """``key=value``, ready to be pasted, such that the value is text, whatever else it looks like:
    a number, or several values with commas between them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return for_the_shell(f"{key}='{text}'")


def with_quotes(override: str) -> str | None:
    """An override that Hydra cannot read, with quotes such that it can, ready to be pasted; None
    where quotes do not help."""
    key, is_assignment, value = override.partition("=")
    if not is_assignment or not key:
        return None
    # In quotes, a shell leaves ~ as it is.
    quoted = f"{key}={_readable(os.path.expanduser(value))}"
    return for_the_shell(quoted) if _can_be_read(quoted) else None


def command_again(key: str, value: str) -> str:
    """The command that began this process, ready to be pasted, with ``key=value`` in addition."""
    kept = [each for each in sys.argv[1:] if not each.startswith(f"{key}=")]
    return f"{typed_command(kept)} {pasteable(key, value)}"


def typed_command(arguments: Sequence[str] | None = None) -> str:
    """``python <script> …`` or ``kaskad <command> …``, as this process was started, with its
    ``arguments`` or others."""
    command = _command_of_kaskad()
    program = ["kaskad", command] if command else ["python", sys.argv[0]]
    return shlex.join([*program, *(sys.argv[1:] if arguments is None else arguments)])


def program(command: str) -> str:
    """How a line begins that runs ``command`` here, ready to be pasted: ``python <script>`` where a
    script of the project was started, and there is one of this name beside it; else ``kaskad``."""
    started = Path(sys.argv[0])
    script = started.with_name(f"{command}.py")
    # It may be relative to a folder in which this process works no longer.
    is_there = started == script or (started.suffix == ".py" and script.is_file())
    return shlex.join(["python", str(script)] if is_there else ["kaskad", command])


def _command_of_kaskad() -> str:
    """The command that follows ``kaskad``; nothing where this process was started otherwise."""
    # As ``kaskad.__main__`` leaves it: the path of the program, a space, the command.
    name, _, command = Path(sys.argv[0]).name.partition(" ")
    return command if name in ("kaskad", "__main__.py") else ""


def _can_be_read(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _readable(value: str) -> str:
    """A value as it is where Hydra can read it; else with quotes, inside lists and dicts too."""
    value = value.strip()
    if _can_be_read(f"key={value}"):
        return value
    if value[:1] + value[-1:] == "[]":
        return f"[{','.join(map(_readable, _parts(value[1:-1])))}]"
    if value[:1] + value[-1:] == "{}" and ":" in value:
        pairs = [part.partition(":") for part in _parts(value[1:-1])]
        return f"{{{','.join(f'{name}:{_readable(content)}' for name, _, content in pairs)}}}"
    # In single quotes for the shell, which reads these within double ones, others are in the way.
    mark = '"' if any(each in value for each in "'$`!") and '"' not in value else "'"
    body = value.replace(mark, f"\\{mark}")
    return f"{mark}{body}{mark}"


def _parts(listed: str) -> list[str]:
    """What commas divide, those within brackets and quotes left out."""
    parts, depth, mark = [""], 0, ""
    for letter in listed:
        if letter in "'\"" and mark in ("", letter):
            mark = "" if mark else letter
        depth += (letter in "[{(") - (letter in ")}]")
        if letter == "," and depth == 0 and not mark:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def for_the_shell(override: str) -> str:
    if override == shlex.quote(override):
        return override
    return shlex.quote(override) if any(mark in override for mark in '"$`\\!') else f'"{override}"'


def group_choices() -> dict[str, str | None]:
    """The choice for each group, by which the data of a checkpoint is known later."""
    choices = HydraConfig.get().runtime.choices
    return {group: choice for group, choice in choices.items() if not group.startswith("hydra")}
