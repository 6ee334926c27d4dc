"""Paths in a table, as people write them: from home, from Windows, with .. in them."""

import functools
import logging
import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from kaskad.audio.segments import Segment, whole_recording
from kaskad.corpora.faulty_rows import refuse_rows

# How the address of a file begins, RFC 8089.
FILE = r"^(?i:file:(?://(?:localhost)?)?)/"

log = logging.getLogger(__name__)


def resolve_paths(
    table: pl.DataFrame, path: Path, beside: Path, audio_root: Path | None = None
) -> pl.DataFrame:
    """Make each path absolute; raises ``ManifestError`` for those that lead where they may not.

    A relative path starts from ``audio_root``, or else from ``beside``, and must not lead out of
    there: nobody sees where ``../../x.wav`` ends once a table has been moved. An absolute path says
    where it leads, and is taken as it is, with a word; where there is an ``audio_root`` all audio
    lies in it. Where a link leads to the root, paths may begin with either.

    Args:
        table: the rows.
        path: of the table.
        beside: the folder from which paths start where nobody says another.
        audio_root: the folder that somebody says.
    """
    chosen = audio_root or beside
    root, given = chosen.resolve(), Path(os.path.abspath(chosen))
    folder = f"{root}/".replace("//", "/")
    table = table.with_columns(path=as_written_here(table["path"], path, given))
    says_where = table["path"].str.starts_with("/")
    beneath = pl.col("path")
    if given.resolve() == root:  # not where the link is followed by ..
        beneath = beneath.str.strip_prefix(f"{given}/")
    absolute = (
        pl.when(beneath.str.starts_with("/")).then(beneath).otherwise(pl.lit(folder) + beneath)
    )
    resolved = table.select(_without_dots(table.select(path=absolute)["path"])).to_series()
    outside = ~resolved.str.starts_with(folder)
    elsewhere = outside & says_where
    refused = outside if audio_root is not None else outside & ~elsewhere
    if refused.any():
        holds = os.path.commonpath([root, *map(os.path.dirname, resolved.filter(refused))])
        remedy = "move the audio there, or set audio_root to the folder that holds it"
        remedy += f" (audio_root={holds})"
        wrong, fault = pl.lit(refused), f"the path lies outside {root}"
        refuse_rows(table, path, wrong, "path", fault=fault, remedy=remedy)
    if elsewhere.any():
        tell_once(
            f"{path}: {elsewhere.sum()} absolute paths lead out of {root}, and are read where they "
            f"lead (first: {resolved.filter(elsewhere)[0]}); audio_root=… keeps to a folder"
        )
    return table.with_columns(path=resolved)


def as_written_here(paths: pl.Series, table: Path, folder: Path) -> pl.Series:
    """Return the paths of a table as this machine writes them: ~ is home, \\ is /, and file:// is
    left out.

    A path of which the file lies in ``folder`` as it is written keeps its \\. Raises
    ``ManifestError`` for drives of Windows and for addresses, of which nothing is fetched.
    """
    frame = paths.to_frame("path")
    is_url = pl.col("path").str.contains(FILE)
    file = pl.col("path").str.replace(FILE, "/")
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
        refuse_rows(frame, table, is_foreign, "path", fault=fault, remedy=remedy)
    home = f"{Path.home()}/"
    return _as_on_disk(frame.select(pl.col("path").str.replace("^~/", home)).to_series(), folder)


def _as_on_disk(paths: pl.Series, folder: Path) -> pl.Series:
    """Return paths with letters such as й as their files have them, in one sign or in two: Macs
    take them apart, and tables seldom do."""
    other: dict[str, str] = {}
    for name in paths.filter(paths.str.contains(r"[^\x00-\x7f]")).unique():
        for form in ("NFC", "NFD"):
            same = unicodedata.normalize(form, name)
            if same != name and not _is_there(folder, name) and _is_there(folder, same):
                other[name] = same
    return paths.replace(other)


def _is_there(folder: Path, name: str) -> bool:
    try:
        return Path(folder, Segment.at(name).file).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False


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
    """Each part of a corpus reads the table, and each finding is reported once."""
    log.warning(message)


def on_disk(path: pl.Expr, folder: Path, *, has_segments: bool) -> pl.Expr:
    """Return paths as a manifest in ``folder`` has them, relative where they lie in it.

    Where columns say which segment a row is, its path does not.
    """
    file = whole_recording(path) if has_segments else path
    return file.str.strip_prefix(f"{folder.resolve()}/")
