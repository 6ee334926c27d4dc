"""CSV and its relatives, whatever separates their cells and ends their lines."""

import codecs
import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.corpora.columns import KNOWN, WORDS, plain
from kaskad.corpora.text_files import (
    ManifestError,
    read_text,
    refuse_other_kinds,
    refuse_swallowed_rows,
)

log = logging.getLogger(__name__)

SEPARATORS = ",;\t|"
# Excel's own mark of the separator, on a line before the header.
EXCELS_MARK = "sep="
LONGEST_HEADER = 1_000_000  # bytes
SHOWN_CELL = 40  # characters
JSON = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*\[?\s*\{\s*\""
)  # how it begins, whatever its file is called


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
    ((name, times),) = Counter(name for name in form.columns if name).most_common(1) or [("", 0)]
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
        _refuse_mixed_line_ends(path, form)
        reason = str(error).partition("\n")[0]
        if reason.startswith("CSV malformed"):  # for it, a mark within a cell opens one: 5" screen
            return _named_or_filled(_read_row_by_row(path, form), path, form)
        if found := re.match('could not parse `(".*?)(` as|$)', reason):
            line = read_text(path).partition(found[1])[0].count("\n") + 1
            reason = (
                f"line {line}: {found[1][:SHOWN_CELL]} begins with a quotation mark and does not "
                "end with one; close it there, or remove it"
            )
        raise ManifestError(
            f"{path}: not a readable {path.suffix.lower()} table: {reason}"
        ) from error
    return _named_or_filled(table, path, form)


def _named_or_filled(table: pl.DataFrame, path: Path, form: Form) -> pl.DataFrame:
    """The table without columns that have neither a name nor content, as spreadsheets leave at the
    right, and with numbers where cells are some."""
    if form.quoted:
        refuse_swallowed_rows(table, path, form.separator, (*AUDIO_SUFFIXES, ".npy"))
    nameless = [ours for ours, name in zip(table.columns, form.columns, strict=True) if not name]
    table = table.drop(name for name in nameless if table[name].null_count() == table.height)
    table = _without_end_marks(table, path)
    return table.with_columns(_as_numbers(column) for column in table if column.name not in WORDS)


def _without_end_marks(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The table without rows of nothing but zeros, which a torn file ends in, or the mark with
    which DOS ended one."""
    first = pl.nth(0).fill_null("")
    is_alone = (
        pl.all_horizontal(pl.nth(range(1, table.width)).is_null()) if table.width > 1 else True
    )
    is_mark = first.str.contains(r"^[\x00\x1a]+$") & is_alone
    if table.select((is_mark & first.str.starts_with("\0")).any()).item():
        log.warning("%s: it ends in zeros: rows may have been lost; copy or export it again", path)
    return table.filter(~is_mark)


def _read_row_by_row(path: Path, form: Form) -> pl.DataFrame:
    """Read a table slowly, in which quotation marks stand within cells."""
    width = len(form.columns)
    rows = [
        [cell or None for cell in row] + [None] * (width - len(row))
        for line, row in _rows(path, form)
        if row and line > form.skipped + 1
    ]
    names = [name or f"_{number}" for number, name in enumerate(form.columns)]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


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
    refuse_other_kinds(start, path)
    if JSON.match(start):
        raise ManifestError(f"{path}: holds JSON, whatever its name says; name it .json or .jsonl")
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
    if "\r" in name:
        raise _mixed_line_ends(path, 1)
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
            if not any(row[len(form.columns) :]):
                raise ManifestError(
                    f"{path}: line {line} has {len(row)} cells, the header has "
                    f"{len(form.columns)}: its last ones are empty; take away the separators at "
                    "its end, or put as many at that of the header"
                )
            name = {"\t": "tabs"}.get(form.separator, f"'{form.separator}'")
            raise ManifestError(
                f"{path}: line {line} has {len(row)} cells, the header has {len(form.columns)}: "
                f"put a text with {name} in it in quotation marks "
                f"({row[-1][:SHOWN_CELL]!r} is over)"
            )


def _refuse_mixed_line_ends(path: Path, form: Form) -> None:
    """Raise ``ManifestError`` where lines end as on old Macs among others that do not."""
    content = path.read_bytes()
    if form.line_end == "\n" and (found := re.search(rb"\r(?!\n)", content)):
        raise _mixed_line_ends(path, content.count(b"\n", 0, found.start()) + 1)


def _mixed_line_ends(path: Path, line: int) -> ManifestError:
    return ManifestError(
        f"{path}: line {line} ends in \\r, others in \\n; let all end alike: "
        f"tr '\\r' '\\n' < '{path.name}' > converted"
    )


def write_separated(separator: str) -> Callable[[pl.DataFrame, Path], None]:
    def write(table: pl.DataFrame, path: Path) -> None:
        quoted = is_quoted(separator, table.columns)
        table.write_csv(path, separator=separator, quote_style="necessary" if quoted else "never")

    return write
