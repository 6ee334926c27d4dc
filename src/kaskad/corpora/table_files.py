"""Tables on disk, as people save them: Parquet; CSV with any separator; JSON, a line a row or one
array."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.corpora.columns import KNOWN, WORDS, plain
from kaskad.corpora.text_files import ManifestError, read_text, refuse_swallowed_rows

SEPARATORS = ",;\t|"
# Excel's own mark of the separator, on a line before the header.
EXCELS_MARK = "sep="
SHOWN_CELL = 40  # characters


def read_table_file(path: Path) -> pl.DataFrame:
    """Read any table by its suffix, of which capitals do not matter; see ``READERS``.

    A column of CSV and its relatives is of numbers only where that changes none of its cells, when
    they are written again: 007 and 1.50 are text. Rows without any content are left out.

    Raises ``ManifestError``, with file and line, for what is no table.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        hint = "; save it as CSV UTF-8" if suffix in (".xlsx", ".xls", ".ods") else ""
        raise ManifestError(f"{path}: unknown kind of table '{path.suffix}'; known: {known}{hint}")
    if not path.is_file():
        raise ManifestError(f"{path}: there is no such file")
    try:
        table = READERS[suffix](path)
    except (pl.exceptions.PolarsError, OSError) as error:
        # What follows in later lines is advice to callers of polars.
        reason = str(error).partition("\n")[0]
        raise ManifestError(f"{path}: not a readable {suffix} table: {reason}") from error
    return table.filter(~pl.all_horizontal(pl.all().is_null())) if table.width else table


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table in the format that the suffix of ``path`` names: all of it, or nothing.

    Raises ``ManifestError`` as ``require_writable`` does.
    """
    require_writable(path, table)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as beside:
        WRITERS[path.suffix.lower()](table, Path(beside, path.name))
        os.replace(Path(beside, path.name), path)


def require_writable(path: Path, table: pl.DataFrame | None = None) -> None:
    """Make the folder of ``path`` and raise ``ManifestError`` if no table can be written there.

    What is at ``path`` stays untouched: this is for asking before hours of work, not after them.
    With ``table``, also raises if that table does not fit the format.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise ManifestError(f"{path}: unknown kind of table '{path.suffix}'; known: {known}")
    if path.is_dir():
        raise ManifestError(f"{path}: is a folder; name a table in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot be written: {error.strerror}; choose another place"
        ) from error
    if table is not None and suffix in UNFIT:
        unfit = table.select(UNFIT[suffix]).columns
        if unfit:
            raise ManifestError(
                f"{path}: a {suffix} table cannot hold what is in {', '.join(unfit)} (lists, "
                "records or bytes); leave these columns out, or write .parquet"
            )


def _is_quoted(separator: str, columns: Sequence[str]) -> bool:
    """Common Voice quotes nothing: a quotation mark in its TSV is one of the sentence."""
    return separator != "\t" or "client_id" not in columns


def _read_separated(path: Path) -> pl.DataFrame:
    header, skipped, line_end = _header(path)
    if not header.strip():
        raise ManifestError(f"{path}: line {skipped + 1}: there is no header, only an empty line")
    separator = _separator(header, "\t" if path.suffix.lower() == ".tsv" else ",")
    columns = next(csv.reader([header], delimiter=separator))
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise ManifestError(
            f"{path}: line {skipped + 1}: the header has the column '{repeated[0]}' "
            f"{columns.count(repeated[0])} times; rename the one that does not count"
        )
    quoted = _is_quoted(separator, columns)
    try:
        table = pl.read_csv(
            path,
            separator=separator,
            quote_char='"' if quoted else None,
            infer_schema=False,
            skip_lines=skipped,
            eol_char=line_end,
            glob=False,
        )
    except pl.exceptions.PolarsError as error:
        read_text(path)  # the encoding may be why, and that has its own message
        _refuse_long_lines(path, separator, len(columns), quoted)
        reason = str(error).partition("\n")[0]
        if 'could not parse `"' in reason:
            reason += "; close the quotation mark that opens there, or remove it"
        raise ManifestError(
            f"{path}: not a readable {path.suffix.lower()} table: {reason}"
        ) from error
    if quoted:
        refuse_swallowed_rows(table, path, separator, (*AUDIO_SUFFIXES, ".npy"))
    return table.with_columns(_as_numbers(column) for column in table if column.name not in WORDS)


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
        start = file.read(100_000)
    line_end = "\r" if b"\r" in start and b"\n" not in start else "\n"
    lines = start.split(line_end.encode(), 2)
    try:
        header, *rest = (line.decode("utf-8-sig").rstrip("\r") for line in lines[:2])
    except UnicodeDecodeError:
        read_text(path)
        raise
    if "\0" in header:
        read_text(path)
    if not start:
        raise ManifestError(
            f"{path}: not a readable {path.suffix.lower()} table: the file is empty; "
            "a table begins with its header"
        )
    if header.lower().startswith(EXCELS_MARK) and rest:
        return rest[0], 1, line_end
    return header, 0, line_end


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


def _refuse_long_lines(path: Path, separator: str, columns: int, quoted: bool) -> None:
    """Raise ``ManifestError`` for the first row that has more cells than the header."""
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(text, delimiter=separator, quotechar='"' if quoted else None)
    begins = 1
    try:
        for row in reader:
            if len(row) > columns and not row[0].startswith(EXCELS_MARK):
                name = {"\t": "tabs"}.get(separator, f"'{separator}'")
                raise ManifestError(
                    f"{path}: line {begins} has {len(row)} cells, the header has {columns}: put a "
                    f"text with {name} in it in quotation marks ({row[-1][:SHOWN_CELL]!r} is over)"
                )
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(f"{path}: line {begins}: not a readable table: {error}") from error


def _read_json(path: Path) -> pl.DataFrame:
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ManifestError(f'{path}: the file is empty; a row is an object: {{"path": …}}')
    if content.lstrip()[:1] != b"[":
        try:
            return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
        except pl.exceptions.PolarsError:
            return _frame(_objects_by_line(path), path)
    try:
        rows = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{path}: not a readable array of JSON: {error}") from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ManifestError(f"{path}: row {number} of the array is no object: {_shown(row)}")
    return _frame(rows, path)


def _objects_by_line(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ManifestError(
                f"{path}: not a readable {path.suffix.lower()} table: line {number}: {error}; "
                "a row is an object on a line of its own"
            ) from error
        if not isinstance(row, dict):
            raise ManifestError(f"{path}: line {number} is no object: {_shown(row)}")
        rows.append(row)
    return rows


def _frame(rows: list[dict[str, Any]], path: Path) -> pl.DataFrame:
    """A table of objects; a value that is not a number (NaN, as Python writes it) is none."""
    known = [{key: _finite(value) for key, value in row.items()} for row in rows]
    names = dict.fromkeys(name for row in known for name in row)
    columns: dict[str, pl.Series] = {}
    for name in names:
        try:
            # Numbers here and words there become words.
            columns[name] = pl.Series(name, [row.get(name) for row in known], strict=False)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise ManifestError(
                f"{path}: the column '{name}' has lists or records in some rows and words or "
                "numbers in others; write the same kind in all"
            ) from error
    return pl.DataFrame(columns)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:SHOWN_CELL]


def _write_separated(separator: str) -> Callable[[pl.DataFrame, Path], None]:
    def write(table: pl.DataFrame, path: Path) -> None:
        quoted = _is_quoted(separator, table.columns)
        table.write_csv(path, separator=separator, quote_style="necessary" if quoted else "never")

    return write


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": lambda path: pl.read_parquet(path, glob=False),
    ".csv": _read_separated,
    ".tsv": _read_separated,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".ndjson": _read_json,
}
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda table, path: table.write_parquet(path),
    ".csv": _write_separated(","),
    ".tsv": _write_separated("\t"),
    ".jsonl": lambda table, path: table.write_ndjson(path),
}
# The columns that a format cannot hold.
UNFIT = {
    ".csv": selectors.nested() | selectors.binary(),
    ".tsv": selectors.nested() | selectors.binary(),
    ".jsonl": selectors.binary(),
}
