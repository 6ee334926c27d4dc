"""A release as something to load: a folder of plain files, each as its SHA256SUMS says it is.

Nothing in it is executed, and nothing outside it is read: what its configuration names lies within.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from torch import Tensor

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
PICKLES = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04")  # begins a pickle, or what torch.save writes
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    listed = _read_sums(root / SUMS)
    there = set(_files_in(root)) - {SUMS}
    if missing := sorted(listed.keys() - there):
        raise ReleaseError(f"{root}: {missing[0]} is missing; copy the release again")
    if extra := sorted(there - listed.keys()):
        raise ReleaseError(f"{root}: {extra[0]} was not made with the release; take it away")
    for name, digest in listed.items():
        file = root / name
        if file.suffix not in SUFFIXES:
            raise ReleaseError(f"{root}: {name} is of no kind that a release has; nothing was read")
        with file.open("rb") as opened:
            if PICKLES.match(opened.read(4)):
                raise ReleaseError(
                    f"{root}: {name} is a pickle, which may execute code; nothing was read of it"
                )
        if sha256(file) != digest:
            raise ReleaseError(
                f"{root}: {name} is not as it was made (its SHA-256 is another); copy the release "
                "again"
            )
    return listed


def write_sums(root: Path) -> None:
    """Write SHA256SUMS for all files of a release."""
    names = sorted(set(_files_in(root)) - {SUMS})
    lines = [f"{sha256(root / name)}  {name}\n" for name in names]
    (root / SUMS).write_text("".join(lines), encoding="utf-8")


def sha256(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def require_within(name: str, where: str) -> None:
    """Raise ``ReleaseError`` unless the name of a file stays in its folder, ``where``."""
    path = PurePosixPath(name)
    is_plain = name == path.as_posix() and "\\" not in name and name.isprintable()
    if path.is_absolute() or ".." in path.parts or not is_plain or name in ("", "."):
        raise ReleaseError(f"{where}: names {name!r}, which does not lie within the release")


def _read_sums(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ReleaseError(f"{file.parent}: no release: it has no readable {SUMS}") from None
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ReleaseError(f"{file}, line {number}: wants a SHA-256, two blanks and a name")
        require_within(found[2], f"{file}, line {number}")
        if found[2] in listed:
            raise ReleaseError(f"{file}, line {number}: names {found[2]} a second time")
        listed[found[2]] = found[1]
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
        config = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        what = str(error).partition("\n")[0]
        raise ReleaseError(f"{file}: cannot be read as YAML of plain values: {what}") from None
    if not isinstance(config, dict):
        raise ReleaseError(f"{file}: holds a {type(config).__name__}, no settings by name")
    return config


def _read_weights(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # of an extra
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ReleaseError(f"{file}: no whole file of weights: {error}") from None


def _place_files(config: Mapping[str, Any], root: Path, listed: Mapping[str, str]) -> None:
    """Have the decoder's options that name a file name it in full."""
    model = config.get("model")
    decoder = model.get("decoder") if isinstance(model, dict) else None
    if not isinstance(decoder, dict):
        return
    for option in FILE_OPTIONS:
        value = decoder.get(option)
        if not isinstance(value, str) or value == NO_FILE:
            continue
        name = value.removeprefix(WITHIN)
        require_within(name, f"{root}: decoder.{option}")
        if not value.startswith(WITHIN) or name not in listed:
            raise ReleaseError(f"{root}: decoder.{option} names {value}, no file of the release")
        decoder[option] = str(root / name)
