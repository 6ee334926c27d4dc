"""Text files as other tools write them: their encoding, their line ends, their quotation marks."""

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl
from polars import selectors

from kaskad.text.encodings import guess_encoding

# How files begin that are no texts, though they may be named so.
OTHER_KINDS = {
    b"\x1f\x8b": "a file packed by gzip (gunzip it first)",
    b"PK\x03\x04": "a spreadsheet or a zip file (save it as CSV UTF-8, or unpack it)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of Excel (save it as CSV UTF-8)",
    b"PAR1": "a table in Parquet (name it .parquet)",
    b"SQLite format 3": "a database (export it as CSV)",
    b"version https://git-lfs": "a pointer of Git LFS (fetch what it stands for: git lfs pull)",
    b"<!DOCTYPE": "a page of the web (download the table itself, such as with a login)",
    b"<html": "a page of the web (download the table itself, such as with a login)",
}


class ManifestError(ValueError):
    """A table that cannot be read, written or used: says which file, which rows, what to do."""


def read_text(path: Path) -> str:
    """Return a text in UTF-8, with or without a byte order mark.

    Raises ``ManifestError``, with file and line, for one in another encoding, and for what is no
    file: a pipe would be waited for.
    """
    require_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text[:1_000]:  # what UTF-16 has in every letter of ASCII
            raise UnicodeDecodeError("utf-8", path.read_bytes(), 0, 1, "it has zeros in it")
        return text
    except UnicodeDecodeError as error:
        refuse_other_kinds(error.object, path)
        line = error.object.count(b"\n", 0, error.start) + 1
        if error.reason == "unexpected end of data":
            raise ManifestError(
                f"{path}: line {line} breaks off within a letter, and the file with it; copy or "
                "export it again"
            ) from error
        # What is not a letter of ASCII tells the encoding: the lines before have none.
        begins = 0 if error.start < 4 else error.object.rfind(b"\n", 0, error.start) + 1
        encoding = guess_encoding(error.object[begins:])
        raise ManifestError(
            f"{path}: line {line} is not UTF-8 (it looks like {encoding.upper()}); convert it to "
            f"UTF-8: iconv -f {encoding} -t utf-8 '{path.name}' > converted (or from what it is in)"
        ) from error


def require_file(path: Path) -> None:
    """Raise ``ManifestError`` where something is there that is no regular file."""
    if not path.is_file() and (path.exists() or path.is_symlink()):
        raise ManifestError(f"{path}: is not a regular file; put one there, or take it away")


def refuse_other_kinds(content: bytes, path: Path) -> None:
    """Raise ``ManifestError`` where a file begins as one that is no text."""
    for beginning, kind in OTHER_KINDS.items():
        if content.startswith(beginning):
            raise ManifestError(f"{path}: is {kind}, whatever its name says")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text; raises as ``read_text`` does."""
    # Not splitlines: U+2028 and its like are marks within a line.
    return read_text(path).split("\n")


def refuse_swallowed_rows(
    table: pl.DataFrame, path: Path, separator: str, suffixes: Iterable[str]
) -> None:
    """Raise ``ManifestError``, with the line, where a cell holds rows: its quote was not closed.

    A text of several lines is read as it is, unless something in it ends in one of the
    ``suffixes`` of files, as a path does, or a line of it has as many tabs as a row. Commas show
    nothing: texts have their own.
    """
    endings = "|".join(map(re.escape, suffixes))
    signs = rf"(?i)({endings})(#[^\n{separator}]*)?\s*({separator}|\n|$)"
    if separator == "\t" and table.width > 1:
        signs += rf"|\n([^\n\t]*\t){{{table.width - 1}}}"
    has_several = selectors.string().str.contains("\n", literal=True).any()
    for name, is_any in table.select(has_several).to_dict(as_series=False).items():
        if not any(is_any):
            continue
        column = table[name]
        several = column.filter(column.str.contains("\n", literal=True))
        swallowed = several.filter(several.str.contains(signs))
        if swallowed.len():
            cell, content = swallowed[0], path.read_bytes()
            opening = content.find(f'"{cell.partition(chr(34))[0]}'.encode())
            line = content.count(b"\n", 0, opening) + 1
            raise ManifestError(
                f"{path}: line {line}: a quotation mark opens '{column.name}' and is not closed "
                f"in that row, so what follows is taken for part of it, up to line "
                f"{line + cell.count(chr(10))}; close it or remove it"
            )
