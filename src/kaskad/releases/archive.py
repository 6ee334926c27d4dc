"""A release as one file: packed the same each time, and unpacked with suspicion."""

import gzip
import tarfile
import zlib
from pathlib import Path

from kaskad.runs.released import ReleaseError, require_within
from kaskad.storage.archives import growth_of, most_unpacked
from kaskad.storage.files import written_whole

MOST_FILES = 10_000


def pack(folder: Path, archive: Path, name: str) -> None:
    """Write the files of a release as one .tar.gz, in which its folder is called ``name``: the same
    bytes for the same files."""
    with (
        written_whole(archive) as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = tarfile.TarInfo(f"{name}/{path.relative_to(folder).as_posix()}")
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a release below the folder ``into``; returns its folder.

    Raises ``ReleaseError`` for what is no such archive, and, before anything is written, where it
    holds a link, a device, a path that leaves its folder, or a file twice.
    """
    try:
        if excess := growth_of(archive):  # headers included, which tarfile reads whole
            raise ReleaseError(f"{archive}: {excess}; nothing was unpacked")
        with tarfile.open(archive, "r:gz") as tar:
            names, size = set[str](), 0
            most = most_unpacked(archive)
            for entry in tar:
                entry.name = entry.name.removeprefix("./")
                require_within(entry.name, str(archive))
                if not (entry.isreg() or entry.isdir()):
                    kind = "a link" if entry.issym() or entry.islnk() else "no plain file"
                    raise ReleaseError(f"{archive}: {entry.name} is {kind}; nothing was unpacked")
                if entry.name in names:
                    raise ReleaseError(f"{archive}: holds {entry.name} twice; nothing was unpacked")
                names.add(entry.name)
                size += entry.size
                if len(names) > MOST_FILES or size > most:
                    raise ReleaseError(f"{archive}: holds far more than a release does")
            tops = {name.partition("/")[0] for name in names}
            if len(tops) != 1:
                raise ReleaseError(
                    f"{archive}: holds {len(tops)} folders, and not that of one release"
                )
            tar.extractall(into, filter="data")
    except ReleaseError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RecursionError) as error:
        raise ReleaseError(f"{archive}: cannot be unpacked: {error}") from None
    return into / tops.pop()
