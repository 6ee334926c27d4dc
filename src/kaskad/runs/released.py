"""A release as something to load: a folder of plain files, each as its SHA256SUMS says it is.

Nothing in it is executed, and nothing outside it is read: what its configuration names lies within.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from torch import Tensor

from kaskad.runs.saved_configuration import DEPTH
from kaskad.storage.archives import growth_of
from kaskad.storage.plain_yaml import read_plain_yaml

SUMS = "SHA256SUMS"  # what makes a folder a release; `sha256sum -c SHA256SUMS` reads it, too
WEIGHTS, CONFIG = "model.safetensors", "config.yaml"
ARCHIVE = ".tar.gz"
# Of a decoder's options, those that may name a file; in a release, one within it.
FILE_OPTIONS = ("language_model", "lexicon", "priors", "rescore")
NO_FILE = "numerals"  # of these options' values, the text that names none
WITHIN = "./"  # begins the name of a file within the release, in its configuration
# What files a release may have: none of them holds anything that runs.
SUFFIXES = {
    ".safetensors", ".yaml", ".json", ".md", ".txt", ".csv", ".parquet", ".model", ".arpa",
    ".gz", ".kenlm", ".flac", ".npy", ".onnx", ".tflite",
}  # fmt: skip
# How files of these kinds begin: one of another kind under such a name is refused.
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".json": (b"{", b"["),
    ".npy": (b"\x93NUMPY",),
    ".flac": (b"fLaC",),
    ".parquet": (b"PAR1",),
    ".gz": (b"\x1f\x8b",),
}
MOST_TEXT = 64 * 2**20  # bytes of what is read as text: hashes, settings, transcripts
PICKLES = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04")  # begins a pickle, or what torch.save writes
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


class ReleaseError(ValueError):
    """A release that is not as it was made, or cannot be made: says why, and where."""


def is_release(folder: Path) -> bool:
    """Whether a folder is that of a release."""
    return (folder / SUMS).is_file()


def releases_below(folder: Path) -> list[Path]:
    """All releases in a folder, the one that was made first first."""
    found = [file.parent for file in folder.rglob(SUMS) if file.is_file()]
    return sorted(found, key=lambda release: ((release / SUMS).stat().st_mtime, release))


def read_released(weights: Path) -> dict[str, Any]:
    """The ``config`` and the ``state_dict`` that stand in a release, as in a checkpoint.

    ``weights`` is its model.safetensors, or that of a language model within it. Raises
    ``ReleaseError`` where the release is not as it was made.
    """
    folder = weights.parent
    root = folder if is_release(folder) else folder.parent
    listed = require_whole(root)
    for name in (CONFIG, WEIGHTS):
        if (folder / name).relative_to(root).as_posix() not in listed:
            raise ReleaseError(f"{folder}: has no {name} that its {SUMS} names")
    config = _read_config(folder / CONFIG)
    _place_files(config, root, listed)
    return {"config": config, "state_dict": _read_weights(weights)}


def require_whole(root: Path) -> dict[str, str]:
    """The SHA-256 of each file of a release, by its name; raises ``ReleaseError`` unless each is
    there, as it was made, and there is nothing else."""
    there = set(_files_in(root)) - {SUMS}
    listed = _read_sums(root / SUMS)
    if missing := sorted(listed.keys() - there):
        raise ReleaseError(f"{root}: {missing[0]} is missing; copy the release again")
    if extra := sorted(there - listed.keys()):
        raise ReleaseError(f"{root}: {extra[0]} was not made with the release; take it away")
    for name, digest in listed.items():
        file = root / name
        if file.suffix not in SUFFIXES:
            raise ReleaseError(f"{root}: {name} is of no kind that a release has; nothing was read")
        with file.open("rb") as opened:
            head = opened.read(8)
        if PICKLES.match(head):
            raise ReleaseError(
                f"{root}: {name} is a pickle, which may execute code; nothing was read of it"
            )
        if not head.startswith(BEGINNINGS.get(file.suffix, b"")):
            raise ReleaseError(
                f"{root}: {name} does not begin as a file {file.suffix}; nothing was read of it"
            )
        if file.suffix == ".gz":
            _require_honest(file)
        if sha256(file) != digest:
            raise ReleaseError(
                f"{root}: {name} is not as it was made (its SHA-256 is another); copy the release "
                "again"
            )
    return listed


def _require_honest(file: Path) -> None:
    try:
        excess = growth_of(file)
    except (OSError, EOFError, zlib.error) as error:
        raise ReleaseError(f"{file}: cannot be unpacked: {error}") from None
    if excess:
        raise ReleaseError(f"{file}: {excess}; nothing was read of it")


def write_sums(root: Path) -> None:
    """Write SHA256SUMS for all files of a release."""
    names = sorted(set(_files_in(root)) - {SUMS})
    lines = [f"{sha256(root / name)}  {name}\n" for name in names]
    (root / SUMS).write_text("".join(lines), encoding="utf-8")


def sha256(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_text(file: Path) -> str:
    """The text of a file of a release; raises ``ReleaseError`` where it is none, or has no end."""
    try:
        if file.stat().st_size > MOST_TEXT:
            raise ReleaseError(f"{file}: is far larger than that of a release; nothing was read")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{file}: cannot be read as text: {error}") from None


def require_within(name: str, where: str) -> None:
    """Raise ``ReleaseError`` unless the name of a file stays in its folder, ``where``."""
    path = PurePosixPath(name)
    is_plain = name == path.as_posix() and not set(name) & set("\\:") and name.isprintable()
    if path.is_absolute() or ".." in path.parts or not is_plain or name in ("", "."):
        raise ReleaseError(f"{where}: names {name!r}, which does not lie within the release")


def _read_sums(file: Path) -> dict[str, str]:
    if not file.is_file():
        raise ReleaseError(f"{file.parent}: no release: it has no {SUMS}")
    listed: dict[str, str] = {}
    seen: set[str] = set()
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ReleaseError(f"{file}, line {number}: wants a SHA-256, two blanks and a name")
        name = found[2]
        require_within(name, f"{file}, line {number}")
        if not name.isascii():
            raise ReleaseError(
                f"{file}, line {number}: names {name!a}, with letters that look like others; a "
                "release has names in ASCII alone"
            )
        if name.lower() in seen:
            raise ReleaseError(f"{file}, line {number}: names {name} a second time")
        seen.add(name.lower())  # of another case, it is the same file on some machines
        listed[name] = found[1]
    return listed


def _files_in(root: Path) -> Iterator[str]:
    """The names of all files of a release; raises ``ReleaseError`` on what is no plain file."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                kind = "a symbolic link" if path.is_symlink() else "no plain file"
                raise ReleaseError(f"{root}: {path.relative_to(root)} is {kind}; nothing was read")
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files)


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = read_plain_yaml(read_text(file))
    except ReleaseError:
        raise
    except (ValueError, yaml.YAMLError) as error:
        what = str(error).partition("\n")[0]
        raise ReleaseError(f"{file}: cannot be read as YAML of plain values: {what}") from None
    if not isinstance(config, dict):
        raise ReleaseError(f"{file}: holds a {type(config).__name__}, no settings by name")
    return config


def _read_weights(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # of an extra
    from safetensors.torch import load_file

    try:
        weights = load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ReleaseError(f"{file}: no whole file of weights: {error}") from None
    for name, weight in weights.items():
        if weight.is_floating_point() and weight.isnan().any():
            raise ReleaseError(f"{file}: its weight {name} holds what is no number (NaN)")
    return weights


def _place_files(config: Mapping[str, Any], root: Path, listed: Mapping[str, str]) -> None:
    """Have the decoder's options that name a file name it in full, wherever a decoder is made."""
    waiting: list[tuple[str, Any]] = [("model", config.get("model"))]
    seen = set[int]()  # YAML may name one value in many places
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen or place.count(".") > DEPTH:  # what lies deeper is refused
            continue
        seen.add(id(node))
        if isinstance(node, list):
            waiting += [(place, child) for child in node]
        if not isinstance(node, dict):
            continue
        waiting += [(f"{place}.{name}", child) for name, child in node.items()]
        for option in FILE_OPTIONS:
            value = node.get(option)
            if not isinstance(value, str) or value == NO_FILE:
                continue
            name = value.removeprefix(WITHIN)
            require_within(name, f"{root}: {place}.{option}")
            if not value.startswith(WITHIN) or name not in listed:
                raise ReleaseError(
                    f"{root}: {place}.{option} names {value}, no file of the release"
                )
            node[option] = str(root / name)
