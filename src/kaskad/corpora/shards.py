"""A corpus packed into tar files of some hundreds of MB, for network storage."""

import re
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import track

from kaskad.audio.cache import file_stats
from kaskad.audio.files import PACKED, AudioError, Packed, read_bytes
from kaskad.runs.folder import run_lock

FILE = ("split", "path")  # each is packed once
END = 2 * tarfile.BLOCKSIZE  # of zeros
AHEAD = 64  # files that are read before they are written


def pack(table: pl.DataFrame, folder: Path, most: int, seed: int) -> pl.DataFrame:
    """Pack the files of a manifest into tar files of at most ``most`` bytes, each of one ``split``.

    Returns ``split`` and ``path`` of every file, in the order of the shards, and its ``place`` in
    them; or the ``reason`` why it could not be read and was left out.
    """
    files = table.select(FILE).unique(maintain_order=True)
    # One that lies in a tar file already is as large as its path says.
    known = pl.col("path").str.extract(PACKED, 3).cast(pl.Int64)
    files = files.with_columns(size=pl.coalesce(known, file_stats(files["path"])["size"]))
    shards = list(_plan(files, most, np.random.default_rng(seed)))
    _require_room(folder, sum(END + int(_room(rows["size"]).sum()) for _, rows in shards))
    with ThreadPoolExecutor(max_workers=8) as pool:
        return pl.concat(
            rows.select(FILE).hstack(_write(rows["path"], folder / name, pool))
            for name, rows in track(shards, "packing", transient=True)
        )


def _plan(
    files: pl.DataFrame, most: int, generator: np.random.Generator
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Names of shards, and the files that belong into each."""
    for (split,), part in files.group_by("split", maintain_order=True):
        part = part[generator.permutation(part.height)]
        ends = np.cumsum(_room(part["size"]))
        number, begin, before = 0, 0, 0
        while begin < part.height:
            fitting = int(np.searchsorted(ends, before + most - END, side="right"))
            end = max(begin + 1, fitting)  # one that is larger than a shard has one for itself
            yield f"{split}-{number:05d}.tar", part[begin:end]
            number, begin, before = number + 1, end, ends[end - 1]


def _room(sizes: pl.Series) -> np.ndarray:
    """What files of so many bytes take in a tar file: a block for the header, and whole blocks."""
    block = tarfile.BLOCKSIZE
    return block + -(-sizes.to_numpy() // block) * block


def _write(paths: pl.Series, file: Path, pool: Executor) -> pl.DataFrame:
    """Write a tar file; returns the ``place`` of each file in it, or the ``reason`` for its lack.

    Members are numbered, as files of several folders may have the same name, and their names are
    short: of a long one, or one with other letters, the header would take more than a block.
    """
    rows: list[tuple[str | None, str | None]] = []
    parts = (paths[begin : begin + AHEAD] for begin in range(0, len(paths), AHEAD))
    contents = chain.from_iterable(pool.map(_content, part) for part in parts)
    with file.open("xb") as shard:
        for path, content in zip(paths, contents, strict=True):
            if isinstance(content, AudioError):
                rows.append((None, f"{path}: {content}"))
                continue
            suffix = re.search(r"\.[A-Za-z0-9]{1,5}$", path)
            member = tarfile.TarInfo(f"{len(rows):06d}{suffix[0] if suffix else ''}")
            member.size = len(content)
            shard.write(member.tobuf())
            rows.append((str(Packed(file.name, shard.tell(), len(content))), None))
            shard.write(content)
            shard.write(bytes(-len(content) % tarfile.BLOCKSIZE))
        shard.write(bytes(END))
    return pl.DataFrame(rows, {"place": pl.String, "reason": pl.String}, orient="row")


def _content(path: str) -> bytes | AudioError:
    try:
        return read_bytes(path)
    except AudioError as error:
        return error


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """A folder to write to, which becomes ``folder`` at the end, or is removed where that fails."""
    beside = folder.with_name(f".{folder.name}.partial")
    beside.mkdir(parents=True, exist_ok=True)
    with run_lock(beside):
        try:
            begun = beside / folder.name
            shutil.rmtree(begun, ignore_errors=True)  # by a process that was killed
            begun.mkdir()
            yield begun
            begun.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _require_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(
            f"{folder.parent}: {free / 1e9:.1f} GB are free on this disk, and the shards take "
            f"{wanted / 1e9:.1f}; make room, or write elsewhere (output=…)"
        )
