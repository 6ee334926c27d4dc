"""CSV and its relatives, whatever separates their cells and ends their lines."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.corpora.columns import KNOWN, WORDS, plain
from kaskad.corpora.text_files import ManifestError, read_text, refuse_swallowed_rows

SEPARATORS = ",;\t|"
# Excel's own mark of the separator, on a line before the header.
EXCELS_MARK = "sep="
LONGEST_HEADER = 1_000_000  # bytes
SHOWN_CELL = 40  # characters


def is_quoted(separator: str, columns: Sequence[str]) -> bool:
    """Common Voice quotes nothing: a quotation mark in its TSV is one of the sentence."""
    return separator != "\t" or "client_id" not in columns


@dataclass(frozen=True)
class Form:
    """How a table is written: what parts its cells, the names of its columns, whether cells may be
    quoted, how many lines stand before the header, and what ends a line."""

    separator: str
    columns: list[str]
    quoted: bool
    skipped: int
    line_end: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Raises ``ManifestError`` where there is no header."""
        header, skipped, line_end = _header(path)
        if not header.strip():
            raise ManifestError(
                f"{path}: line {skipped + 1}: there is no header, only an empty line"
            )
        separator = _separator(header, "\t" if path.suffix.lower() == ".tsv" else ",")
        columns = next(csv.reader([header], delimiter=separator))
        return cls(separator, columns, is_quoted(separator, columns), skipped, line_end)


def read_separated(path: Path) -> pl.DataFrame:
    """Read a table; raises ``ManifestError``, with the line, where that cannot be done."""
    form = Form.of(path)
    ((name, times),) = Counter(form.columns).most_common(1)
    if times > 1:
        raise ManifestError(
            f"{path}: line {form.skipped + 1}: the header has the column '{name}' {times} times; "
            "rename the one that does not count"
        )
    try:
        table = pl.read_csv(
            path,
            separator=form.separator,
            quote_char='"' if form.quoted else None,
            infer_schema=False,
            skip_lines=form.skipped,
            eol_char=form.line_end,
            glob=False,
        )
    except pl.exceptions.PolarsError as error:
        read_text(path)  # the encoding may be why, and that has its own message
        _refuse_long_lines(path, form)
        reason = str(error).partition("\n")[0]
        if found := re.match('could not parse `(".*?)(` as|$)', reason):
            line = read_text(path).partition(found[1])[0].count("\n") + 1
            reason = (
                f"line {line}: {found[1][:SHOWN_CELL]} begins with a quotation mark and does not "
                "end with one; close it there, or remove it"
            )
        raise ManifestError(
            f"{path}: not a readable {path.suffix.lower()} table: {reason}"
        ) from error
    if form.quoted:
        refuse_swallowed_rows(table, path, form.separator, (*AUDIO_SUFFIXES, ".npy"))
    return table.with_columns(_as_numbers(column) for column in table if column.name not in WORDS)


def lines_of_rows(path: Path) -> list[int]:
    """On which line each row begins, but for rows without content."""
    form = Form.of(path)
    rows = _rows(path, form)
    return [line for line, row in rows if any(row) and line > form.skipped + 1]


def _rows(path: Path, form: Form) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row begins, and its cells; raises ``ManifestError``."""
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(
        text,
        delimiter=form.separator,
        quotechar='"' if form.quoted else None,
        quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
    )
    begins = 1
    try:
        for row in reader:
            yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(f"{path}: line {begins}: not a readable table: {error}") from error


def _as_numbers(column: pl.Series) -> pl.Series:
    """Numbers, where they are written as the cells are."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.cast(pl.String).equals(column):
            return numbers
    return column


def _header(path: Path) -> tuple[str, int, str]:
    """Return the line of the header, how many stand before it, and what ends a line."""
    with path.open("rb") as file:
        start = file.read(LONGEST_HEADER)
    if not start:
        raise ManifestError(
            f"{path}: not a readable {path.suffix.lower()} table: the file is empty; "
            "a table begins with its header"
        )
    line_end = "\r" if b"\r" in start and b"\n" not in start else "\n"
    first, _, rest = start.partition(line_end.encode())
    is_marked = first.removeprefix(codecs.BOM_UTF8).lower().startswith(EXCELS_MARK.encode())
    header = rest.partition(line_end.encode())[0] if is_marked and rest else first
    try:
        name = header.decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError:
        read_text(path)
        raise
    if "\0" in name:
        read_text(path)
    return name, 1 if is_marked and rest else 0, line_end


def _separator(header: str, usual: str) -> str:
    """Return what separates cells: what makes most columns that we know, else most columns."""
    candidates = [usual, *(mark for mark in SEPARATORS if mark != usual)]

    def gain(mark: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=mark), [])
        return sum(plain(name) in KNOWN for name in names), len(names) if mark == usual else 0

    best = max(candidates, key=gain)
    if gain(best)[0] == 0 and usual not in header:
        return max(candidates, key=header.count)
    return best


def _refuse_long_lines(path: Path, form: Form) -> None:
    """Raise ``ManifestError`` for the first row that has more cells than the header."""
    for line, row in _rows(path, form):
        if len(row) > len(form.columns) and line > form.skipped:
            name = {"\t": "tabs"}.get(form.separator, f"'{form.separator}'")
            raise ManifestError(
                f"{path}: line {line} has {len(row)} cells, the header has {len(form.columns)}: "
                f"put a text with {name} in it in quotation marks "
                f"({row[-1][:SHOWN_CELL]!r} is over)"
            )


def write_separated(separator: str) -> Callable[[pl.DataFrame, Path], None]:
    def write(table: pl.DataFrame, path: Path) -> None:
        quoted = is_quoted(separator, table.columns)
        table.write_csv(path, separator=separator, quote_style="necessary" if quoted else "never")

    return write
