"""The files of a folder: one walk for all that look for recordings in one."""

import functools
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

# What is decoded, by the endings that people give it: by libsndfile, and from MPEG-4 on by FFmpeg.
_READ = {
    "WAV": ".wav .wave .w64 .rf64",
    "FLAC, Ogg, MPEG": ".flac .ogg .oga .opus .spx .mp3 .mp2 .mpga",
    "SPHERE": ".sph .nist",
    "AIFF, AU, CAF": ".aiff .aif .aifc .au .snd .caf",
    "other files of sound": ".voc .avr .paf .pvf .sf .ircam .svx .8svx .sds .wve",
    "MPEG-4": ".m4a .m4b .mp4 .m4v .mov .aac .alac",
    "Matroska": ".webm .weba .mka .mkv",
    "telephones": ".amr .awb .3gp .3g2 .3ga .qcp",
    "Windows Media": ".wma .wmv .asf",
    "others": ".ac3 .eac3 .dts .ape .wv .tta .tak .mpc .ra .rm .avi .flv .ts .dss",
}
# Sound that is not: without any header, locked, or in a format of its own.
_NOT_READ = {
    "telephones": ".gsm .g722 .g723_1 .g729 .sln .lbc",
    "others": ".shn .dsf .dff .ds2 .m4p .aax",
}
AUDIO_SUFFIXES = frozenset(" ".join(_READ.values()).split())
OTHER_SUFFIXES = frozenset(" ".join(_NOT_READ.values()).split())
LEFT_BY_MACS = "__MACOSX"
SHOWN = 3  # files that a message names


def files_in(folder: str | Path) -> list[Path]:
    """Return every file in ``folder`` and below, in the order of their names.

    Links to folders are followed, and each folder is read once, so that links may lead in a circle.
    Hidden files and what macOS leaves behind (``._1.wav``, ``__MACOSX``) are passed over. A folder
    that cannot be read, and names that are no UTF-8, are left out with a warning.
    """
    if not os.path.isdir(folder):
        return []
    files: list[Path] = []
    unnameable: list[bytes] = []
    waiting: list[str] = [os.fspath(folder)]
    links: list[str] = []
    seen: set[tuple[int, int]] = set()
    while waiting or links:
        # A folder is named by where it lies, and by a link only where it lies elsewhere.
        inside = waiting.pop() if waiting else links.pop(0)
        if _identity(inside) in seen:
            continue
        seen.add(_identity(inside))
        for entry in _entries(inside):
            if entry.name.startswith(".") or entry.name == LEFT_BY_MACS:
                continue
            if not _is_text(entry.name):
                unnameable.append(os.fsencode(entry.path))
            elif _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(entry.path)
            else:
                files.append(Path(entry.path))
    if unnameable:
        _tell_of_names(folder, sorted(unnameable))
    return sorted(files)


def audio_in(folder: str | Path) -> list[Path]:
    """Return the recordings in ``folder`` and below, in the order of their names.

    What has the ending of another kind of sound is left out with a warning that says how to convert
    it. Walks as ``files_in`` does.
    """
    files = files_in(folder)
    others = [path for path in files if path.suffix.lower() in OTHER_SUFFIXES]
    if others:
        _warn_once(f"{folder}: {_list_kinds(others)}")
    return [path for path in files if is_audio(path)]


def is_audio(path: str | Path) -> bool:
    """Whether a file has the ending of a kind of recording that is read."""
    return os.path.splitext(path)[1].lower() in AUDIO_SUFFIXES


def why_not_read(path: str | Path) -> str | None:
    """What to do about a file of another kind of sound; None where its ending is none of these."""
    stem, suffix = os.path.splitext(os.path.basename(path))
    if suffix.lower() not in OTHER_SUFFIXES:
        return None
    return f"{suffix[1:]} is not read here; convert it: ffmpeg -i '{stem}{suffix}' '{stem}.flac'"


def no_audio(folder: str | Path) -> str:
    """Say that ``folder`` has no recordings, what it has instead, and what was looked for."""
    others = [path for path in files_in(folder) if path.suffix.lower() in OTHER_SUFFIXES]
    told = f", but {_list_kinds(others)}" if others else ""
    return f"no audio in {folder}{told} (looked for {', '.join(sorted(AUDIO_SUFFIXES))})"


def _list_kinds(others: list[Path]) -> str:
    kinds = ", ".join(sorted({path.suffix.lower() for path in others}))
    named = ", ".join(path.name for path in others[:SHOWN])
    return (
        f"{len(others)} files are of kinds that are not read here ({kinds}): {named}"
        f"{', …' if len(others) > SHOWN else ''}; convert them, such as "
        f"ffmpeg -i '{others[0].name}' '{others[0].stem}.flac'"
    )


def _tell_of_names(folder: str | Path, names: list[bytes]) -> None:
    first = ", ".join(repr(name)[2:-1] for name in names[:SHOWN])
    _warn_once(
        f"{folder}: left out {len(names)} files or folders whose names are not UTF-8 (first: "
        f"{first}): rename them, such as convmv -r -f cp1251 -t utf-8 --notest '{folder}'"
    )


@functools.cache
def _warn_once(message: str) -> None:
    """Each part of a corpus walks through its folder, and each finding is reported once."""
    log.warning(message)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: whoever reads it says so
        return False


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _warn_once(f"{folder}: this folder cannot be read and is left out: {error.strerror}")
        return []
