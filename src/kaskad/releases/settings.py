"""The settings of a run as a release has them: what makes the model again, and nothing private."""

import re
from collections.abc import Iterator
from typing import Any

from kaskad.runs.released import FILE_OPTIONS, ReleaseError
from kaskad.runs.trusted_parts import TRAINING_PARTS

Settings = dict[str, Any]

# What a release tells of a run beside its model; callbacks, loggers and folders do not go with it.
KEPT = ("seed", "choices", "phone_errors", "datamodule", "sampler", "trainer", "data")
# Of a corpus: what it is, not how it is read or where it lies.
OF_A_CORPUS = ("_target_", "role", "language", "branch", "split", "silence")
SECRET = re.compile(r"(^|_)token$|secret|passw|credential|(api|private|access)_?key", re.IGNORECASE)
PLACE_NAME = re.compile(r"(^|_)(root|path|folder|dir|file|cache|unpacked|table|manifest)s?$")
# Options of the parts of a model that name a place from which nothing is read where it transcribes.
NAMED_BY_PLACE = (
    ("encoder", "pretrained"),
    ("tokenizer", "pronunciations"),
    ("tokenizer", "pieces"),
)
# An absolute path, one of a home, one of Windows, a URL, an interpolation.
OF_A_PLACE = re.compile(r"^(/|~|\.\.?[/\\]|[A-Za-z]:[\\/]|\\\\)|://|\$\{")


def public_settings(config: Settings, source: str) -> Settings:
    """The settings of a run, ``config``, without paths of its machine and without secrets.

    The files that a decoder reads must be named as files of the release already. Raises
    ``ReleaseError``, which names the checkpoint ``source``, where the model cannot be made without
    such a path.
    """
    public = {name: _without_places(config[name]) for name in KEPT if name in config}
    public["task"] = str(config.get("task"))
    public["data"] = _data(config.get("data") or {})
    model = config["model"]
    public["model"] = {
        name: _without_places(part) if name in TRAINING_PARTS else part
        for name, part in model.items()
    }
    for part, option in NAMED_BY_PLACE:
        settings = public["model"].get(part)
        if isinstance(settings, dict) and settings.get(option):
            names = _last_name(settings[option])
            public["model"] = {**public["model"], part: {**settings, option: names}}
    for name, value in _leaves(public["model"], "model"):
        if name.startswith("model.tokenizer.") or name.split(".")[-1] in FILE_OPTIONS:
            continue  # labels may be any text; files are within
        if SECRET.search(name.split(".")[-1]) or (
            isinstance(value, str) and OF_A_PLACE.search(value)
        ):
            raise ReleaseError(
                f"{source}: {name} is {value!r}, which will not be there where the release goes; "
                "train with a value that needs no place of this machine"
            )
    return public


def without_secrets(node: Any) -> Any:
    """Settings as they are, but for passwords and tokens, by name or in a URL."""
    if isinstance(node, dict):
        kept = {key: without_secrets(child) for key, child in node.items()}
        return {key: child for key, child in kept.items() if not SECRET.search(key)}
    if isinstance(node, list):
        return [without_secrets(child) for child in node]
    if isinstance(node, str):
        return re.sub(r"://[^/\s@]+@", "://", node)
    return node


def _data(data: Settings) -> Settings:
    """The settings of the data without their paths: those differ wherever the corpora are."""
    corpora = {
        name: {key: corpus[key] for key in OF_A_CORPUS if key in corpus}
        for name, corpus in (data.get("corpora") or {}).items()
    }
    others = {name: part for name, part in data.items() if name != "corpora"}
    return {**_without_places(others), "corpora": corpora}


def _without_places(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_places(child)
            for key, child in node.items()
            if not SECRET.search(key) and not PLACE_NAME.search(key) and not _is_place(child)
        }
    if isinstance(node, list):
        return [_without_places(child) for child in node if not _is_place(child)]
    return node


def _last_name(place: Any) -> Any:
    """That of a path or of a list of paths, without the folders before it."""
    if isinstance(place, list):
        return [_last_name(each) for each in place]
    return re.split(r"[/\\]", str(place).rstrip("/\\"))[-1]


def _is_place(value: Any) -> bool:
    """Whether a value is text that names a place: a path, a server, an address."""
    return isinstance(value, str) and bool(OF_A_PLACE.search(value) or re.search(r"[/\\@]", value))


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _leaves(child, f"{name}.{key}")
    elif isinstance(node, list):
        for child in node:
            yield from _leaves(child, name)
    else:
        yield name, node
