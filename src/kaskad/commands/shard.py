"""Pack a corpus into few large files, for network storage: kaskad shard data=… output=…"""

import logging
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from kaskad.audio.segments import FRAGMENT, whole_recording
from kaskad.config.overrides import pasteable, program
from kaskad.corpora.manifest import refuse_repeated_ids, write_manifest
from kaskad.corpora.shards import FILE, _made_whole, pack
from kaskad.corpora.table_files import write_table
from kaskad.data.checks import IS_FRAMES, DataError
from kaskad.data.corpus import check_corpora, together, without_repeats
from kaskad.reports.corpus import show_contents
from kaskad.storage.files import require_place

log = logging.getLogger(__name__)


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
    folder = Path(config.output).resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder}: is there already; remove it, or choose another output")
    require_place(folder)
    usable, rest = check_corpora(config)
    if not usable:
        raise DataError("data=none: there is nothing to pack; choose a corpus with data=…")
    show_contents(usable, rest, Console())
    table, skipped = without_repeats(together(usable)), together(rest)
    totals = {name: usable[name].height + rest[name].height for name in usable}
    _require_few(skipped, totals, config.max_skipped)
    _require_audio(table)
    refuse_repeated_ids(table, folder / "manifest.parquet", is_read=False)
    # Of a recording of several segments all is packed, once.
    segment = pl.col("path").str.extract(f"({FRAGMENT})").fill_null("")
    table = table.with_columns(path=whole_recording(pl.col("path")), _segment=segment)
    with _made_whole(folder) as beside:
        places = pack(table, beside, int(config.megabytes * 1e6), config.seed)
        lost = places.drop_nulls("reason").join(table.select("split", "path", "id"), on=FILE)
        skipped = pl.concat(
            [each.select("split", "id", "path", "reason") for each in (skipped, lost)]
        )
        _require_few(skipped, totals, config.max_skipped)
        places = places.drop_nulls("place").select(*FILE, _place="place")
        table = table.join(places, on=FILE, maintain_order="right_left")
        table = table.with_columns(path=pl.col("_place") + pl.col("_segment"))
        table = table.drop("_place", "_segment")
        write_manifest(table, beside / "manifest.parquet")
        if skipped.height:
            write_table(skipped, beside / "skipped.csv")
            log.warning("left out %d utterances: see %s", skipped.height, folder / "skipped.csv")
    sizes = [file.stat().st_size for file in folder.glob("*.tar")]
    log.info("%d utterances in %d shards, %.2f GB", table.height, len(sizes), sum(sizes) / 1e9)
    spoken = f" data.language={table['language'][0]}" if "language" in table.columns else ""
    root = pasteable("data.root", str(folder))
    log.info("to train: %s data=table %s%s sampler=shards", program("train"), root, spoken)
    if others := sorted(set(table["split"]) - {"train", "validation", "test"}):
        log.warning("data=table reads train, validation and test; not %s", ", ".join(others))
    return {"utterances": table.height, "shards": len(sizes), "gigabytes": sum(sizes) / 1e9}


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
