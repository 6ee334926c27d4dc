"""Paths in a table, as people write them: from home, from Windows, with .. in them."""

import functools
import logging
import os
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from kaskad.audio.segments import whole_recording
from kaskad.corpora.text_files import ManifestError

log = logging.getLogger(__name__)

SHOWN_ROWS = 5


def resolve_paths(table: pl.DataFrame, path: Path, audio_root: Path) -> pl.DataFrame:
    """Make each path absolute; raises ``ManifestError`` for those that lead out of the root.

    Where a link leads to the root, paths may begin with either. ``path`` is the table's own.
    """
    root, given = audio_root.resolve(), Path(os.path.abspath(audio_root))
    folder = f"{root}/".replace("//", "/")
    table = table.with_columns(path=as_written_here(table["path"], given))
    beneath = pl.col("path")
    if given.resolve() == root:  # not where the link is followed by ..
        beneath = beneath.str.strip_prefix(f"{given}/")
    absolute = (
        pl.when(beneath.str.starts_with("/")).then(beneath).otherwise(pl.lit(folder) + beneath)
    )
    resolved = table.select(_without_dots(table.select(path=absolute)["path"])).to_series()
    outside = ~resolved.str.starts_with(folder)
    if outside.any():
        holds = os.path.commonpath([root, *map(os.path.dirname, resolved.filter(outside))])
        remedy = "move the audio there, or set audio_root to the folder that holds it"
        remedy += f" (audio_root={holds})"
        wrong, fault = pl.lit(outside), f"the path lies outside {root}"
        refuse_rows(table, path, wrong, "path", fault=fault, remedy=remedy)
    return table.with_columns(path=resolved)


def as_written_here(paths: pl.Series, folder: Path) -> pl.Series:
    """Return paths as this machine writes them: ~ is home, \\ is /, file:// is left out.

    A path of which the file lies in ``folder`` as it is written keeps its \\. Raises
    ``ManifestError`` for drives of Windows and for addresses, of which nothing is fetched.
    """
    frame = paths.to_frame("path")
    file = pl.col("path").str.strip_prefix("file://")
    is_url = pl.col("path").str.starts_with("file://")
    frame = frame.with_columns(
        path=pl.when(is_url).then(file.map_elements(unquote, pl.String)).otherwise("path")
    )
    backslashed = frame.filter(pl.col("path").str.contains("\\", literal=True))["path"]
    windows = [name for name in backslashed.unique() if not (folder / name).exists()]
    if windows:
        tell_once(
            f"{folder}: {len(windows)} paths are written as on Windows, and read with / for \\ "
            f"(first: {backslashed.filter(backslashed.is_in(windows))[0]})"
        )
        forward = {name: name.replace("\\", "/") for name in windows}
        frame = frame.with_columns(pl.col("path").replace(forward))
    for pattern, fault, remedy in (
        (r"^[A-Za-z]:[/\\]", "the path begins with a drive of Windows", "write it as it is here"),
        (
            r"^[A-Za-z][A-Za-z0-9+.-]+://",
            "the path is an address, and nothing is fetched",
            "download these recordings, and write where they lie",
        ),
    ):
        is_foreign = pl.col("path").str.contains(pattern)
        refuse_rows(frame, folder, is_foreign, "path", fault=fault, remedy=remedy)
    home = f"{Path.home()}/"
    return frame.select(pl.col("path").str.replace("^~/", home)).to_series()


def _without_dots(paths: pl.Series) -> pl.Series:
    """Follow . and .. in the names alone, as a reader does."""
    dotted = paths.filter(paths.str.contains(r"(^|/)\.{1,2}(/|$)|//")).unique()
    return paths.replace({name: os.path.normpath(name) for name in dotted})


def warn_of_repeats(table: pl.DataFrame, path: Path) -> None:
    """Say so where several rows, each with an id of its own, are the same recording."""
    repeated = table.filter(~pl.col("path").is_first_distinct())
    if repeated.height:
        first = repeated.row(0, named=True)
        tell_once(
            f"{path}: {repeated.height} rows name a recording that another row has already (first: "
            f"{first['id']}, {first['path']})"
        )


@functools.cache
def tell_once(message: str) -> None:
    """Each part of a corpus reads the table, but a thing is said once."""
    log.warning(message)


def refuse_rows(
    table: pl.DataFrame, path: Path, wrong: pl.Expr, column: str, *, fault: str, remedy: str
) -> None:
    """Raise ``ManifestError`` if rows are ``wrong``, naming the first of them by ``column``.

    Args:
        table: the rows.
        path: of the table.
        wrong: true where a row cannot serve.
        column: whose content names a row.
        fault: what is wrong, as the sentence "in 1 of 2 rows …".
        remedy: what to do.
    """
    rows = table.select(name=column, wrong=wrong).with_row_index("row", offset=1).filter("wrong")
    if rows.height:
        first = rows.sort("name", "row").select("row", "name").head(SHOWN_ROWS).rows()
        named = ", ".join(f"row {row}: {name}" for row, name in first)
        more = ", …" if rows.height > SHOWN_ROWS else ""
        raise ManifestError(
            f"{path}: in {rows.height} of {table.height} rows {fault} ({named}{more}); {remedy}"
        )


def on_disk(path: pl.Expr, folder: Path, *, has_segments: bool) -> pl.Expr:
    """Return paths as a manifest in ``folder`` has them, relative where they lie in it.

    Where columns say which segment a row is, its path does not.
    """
    file = whole_recording(path) if has_segments else path
    return file.str.strip_prefix(f"{folder.resolve()}/")
