"""A corpus in few large files, for storage that is slow to open many: python prepare.py shards …"""

import logging
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from kaskad.audio.cache import identities
from kaskad.audio.reading import PACKED, AudioError, Packed, read_bytes
from kaskad.commands.prepare import check_corpora, show_contents, together, without_repeats
from kaskad.corpora.manifest import refuse_repeated_ids, write_manifest, write_table
from kaskad.data.checks import IS_FRAMES, DataError
from kaskad.runs.resume import claimed

log = logging.getLogger(__name__)

FILE = ("split", "path")  # each is packed once
END = 2 * tarfile.BLOCKSIZE  # of zeros
AHEAD = 64  # files that are read before they are written


def shard(config: DictConfig) -> dict[str, float]:
    """Pack the audio of every corpus of ``config.data`` into tar files, ``train-00000.tar`` and so
    on, in the folder ``config.output``.

    Files are packed as they are, those of a corpus in random order: each shard is a fair sample.
    Beside them is ``manifest.parquet``, the usable rows with all their columns in the order of the
    shards, and a ``split`` named like the corpus, as ``prepare`` writes it; and ``skipped.csv``,
    if there are others. The folder appears once it is complete.

    Raises ``DataError`` if there is nothing to pack or too much to leave out, ``FileExistsError``
    if the folder holds something, and ``OSError`` if the disk has no room for it.
    """
    if config.output is None:
        raise ValueError("shards needs a folder to write them to: output=<folder>")
    folder = Path(config.output).resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder}: is there already; remove it, or choose another output")
    usable, rest = check_corpora(config)
    if not usable:
        raise DataError("data=none: there is nothing to pack; choose a corpus with data=…")
    show_contents(usable, rest, Console())
    table, skipped = without_repeats(together(usable)), together(rest)
    totals = {name: usable[name].height + rest[name].height for name in usable}
    _require_few(skipped, totals, config.shards.max_skipped)
    _require_audio(table)
    refuse_repeated_ids(table, folder / "manifest.parquet")
    with _made_whole(folder) as beside:
        places = pack(table, beside, int(config.shards.megabytes * 1e6), config.seed)
        lost = places.drop_nulls("reason").join(table.select("split", "path", "id"), on=FILE)
        skipped = pl.concat(
            [each.select("split", "id", "path", "reason") for each in (skipped, lost)]
        )
        _require_few(skipped, totals, config.shards.max_skipped)
        places = places.drop_nulls("place").select(*FILE, _place="place")
        table = table.join(places, on=FILE, maintain_order="right_left")
        table = table.with_columns(path="_place").drop("_place")
        write_manifest(table, beside / "manifest.parquet")
        if skipped.height:
            write_table(skipped, beside / "skipped.csv")
            log.warning("left out %d utterances: see %s", skipped.height, folder / "skipped.csv")
    sizes = [file.stat().st_size for file in folder.glob("*.tar")]
    log.info("%d utterances in %d shards, %.2f GB", table.height, len(sizes), sum(sizes) / 1e9)
    spoken = f" data.language={table['language'][0]}" if "language" in table.columns else ""
    log.info("to train: python train.py data=table data.root=%s%s sampler=shards", folder, spoken)
    if others := sorted(set(table["split"]) - {"train", "validation", "test"}):
        log.warning("data=table reads train, validation and test; not %s", ", ".join(others))
    return {"utterances": table.height, "shards": len(sizes), "gigabytes": sum(sizes) / 1e9}


def pack(table: pl.DataFrame, folder: Path, most: int, seed: int) -> pl.DataFrame:
    """Pack the files of a manifest into tar files of at most ``most`` bytes, each of one ``split``.

    Returns ``split`` and ``path`` of every file, in the order of the shards, and its ``place`` in
    them; or the ``reason`` why it could not be read and was left out.
    """
    files = table.select(FILE).unique(maintain_order=True)
    # One that lies in a tar file already is as large as its path says.
    known = pl.col("path").str.extract(PACKED, 3).cast(pl.Int64)
    files = files.with_columns(size=pl.coalesce(known, identities(files["path"])["size"]))
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
    with claimed(beside):
        try:
            begun = beside / folder.name
            shutil.rmtree(begun, ignore_errors=True)  # by a process that was killed
            begun.mkdir()
            yield begun
            begun.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _require_audio(table: pl.DataFrame) -> None:
    if table.is_empty():
        raise DataError("there is no utterance to pack; choose a corpus with data=…")
    if table.filter(IS_FRAMES).height:
        raise DataError("the corpus comes as features, in arrays of many utterances: leave it so")


def _require_few(skipped: pl.DataFrame, totals: Mapping[str, int], share: float) -> None:
    """Raise ``DataError`` if more than ``share`` of a corpus is ``skipped``."""
    for name, total in totals.items():
        reasons = skipped.filter(pl.col("split") == name)["reason"]
        if len(reasons) > share * total:
            raise DataError(
                f"corpus '{name}': {len(reasons)} of {total} utterances cannot be used "
                f"({'; '.join(reasons.head(3))}); mend them, or allow more with "
                f"shards.max_skipped (now {share})"
            )


def _require_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(
            f"{folder.parent}: {free / 1e9:.1f} GB are free on this disk, and the shards take "
            f"{wanted / 1e9:.1f}; make room, or write elsewhere (output=…)"
        )
