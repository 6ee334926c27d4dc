"""Options that may change when a run goes on: a comment beside each says "May change on resume"."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from hydra.core.hydra_config import HydraConfig

MARK = "May change on resume"


def may_change(key: str) -> bool:
    """Whether a run that goes on may have another value for ``key`` than it began with.

    The mark stands in the comment above an option, or above a part's ``_target_`` for the whole of
    it, in the folder of configurations that the command was given.
    """
    job = HydraConfig.get().job.config_name
    sources = HydraConfig.get().runtime.config_sources
    folder = next(Path(source.path) for source in sources if source.provider == "main")
    return any(key == name or key.startswith(f"{name}.") for name in _marked(folder, job))


@cache
def _marked(folder: Path, command: str) -> frozenset[str]:
    """The options with the mark in ``<command>.yaml`` and in all choices for its groups."""
    files = [folder / f"{command}.yaml", *folder.glob("*/**/*.yaml")]
    return frozenset(name for file in files for name in _marked_in(file, folder))


def _marked_in(file: Path, folder: Path) -> Iterator[str]:
    text = file.read_text("utf-8")
    if MARK not in text:
        return
    lines = text.splitlines()
    is_global = lines[0].startswith("# @package _global_")
    prefix = () if is_global else file.parent.relative_to(folder).parts
    for name, line in _keys(yaml.compose(text), prefix):
        above = line
        while above > 0 and lines[above - 1].lstrip().startswith("#"):
            above -= 1
        if any(MARK in comment for comment in lines[above : line + 1]):
            yield ".".join(name[:-1] if name[-1] == "_target_" else name)


def _keys(node: yaml.Node | None, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The full name of each key, and the number of its line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = (*prefix, str(key.value))
            yield name, key.start_mark.line
            yield from _keys(value, name)
