"""Tables on disk, as people save them: Parquet; CSV (see ``separated``); JSON, a line a row or one
array."""

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from kaskad.corpora.json_text import line_of_fault, parse_json, refuse_doubled_keys, shown
from kaskad.corpora.separated import read_separated, write_separated
from kaskad.corpora.text_files import ManifestError, read_text, refuse_other_kinds
from kaskad.storage.files import require_place
from kaskad.storage.tables import read_parquet, write_parquet


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
        hint = "; unpack it first" if suffix in (".gz", ".zip", ".bz2", ".xz", ".zst") else hint
        raise ManifestError(f"{path}: unknown kind of table '{path.suffix}'; known: {known}{hint}")
    if not path.is_file():
        raise ManifestError(f"{path}: there is no such file")
    try:
        table = READERS[suffix](path)
    except ManifestError:
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        # What follows in later lines is advice to callers of polars.
        reason = str(error).partition("\n")[0].removeprefix(f"{path}: ")
        raise ManifestError(f"{path}: not a readable {suffix} table: {reason}") from error
    return table.filter(~pl.all_horizontal(pl.all().is_null())) if table.width else table


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table in the format that the suffix of ``path`` names: all of it, or nothing.

    Raises ``ManifestError`` as ``require_writable`` does.
    """
    require_writable(path, table)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as beside:
            WRITERS[path.suffix.lower()](table, Path(beside, path.name))
            os.replace(Path(beside, path.name), path)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise ManifestError(f"{path}: cannot be written: {error}; is its disk full?") from error


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
        require_place(path)
    except OSError as error:
        raise ManifestError(str(error)) from error
    if table is not None and suffix in UNFIT:
        unfit = table.select(UNFIT[suffix]).columns
        if unfit:
            raise ManifestError(
                f"{path}: a {suffix} table cannot hold what is in {', '.join(unfit)} (lists, "
                "records or bytes); leave these columns out, or write .parquet"
            )


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return read_parquet(path)
    except ValueError:
        with path.open("rb") as file:
            start = file.read(64)
        if not start.startswith(b"PAR1"):
            refuse_other_kinds(start, path)
        raise


def _read_json(path: Path) -> pl.DataFrame:
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ManifestError(f'{path}: the file is empty; a row is an object: {{"path": …}}')
    if content.lstrip()[:1] != b"[":
        try:
            table = pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
        except pl.exceptions.PolarsError:
            return _frame(_objects_by_line(path), path)
        refuse_doubled_keys(path, table.columns)
        return table
    text = read_text(path)
    try:
        rows = parse_json(text)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path}: not a readable array of JSON: {error}") from error
    except ValueError as error:
        raise ManifestError(f"{path}: in the row of line {line_of_fault(text)}: {error}") from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ManifestError(f"{path}: row {number} of the array is no object: {shown(row)}")
    return _frame(rows, path)


def _objects_by_line(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            refuse_other_kinds(line.encode(), path)
            raise ManifestError(
                f"{path}: not a readable {path.suffix.lower()} table: line {number}: {error}; "
                "a row is an object on a line of its own"
            ) from error
        if not isinstance(row, dict):
            raise ManifestError(f"{path}: line {number} is no object: {shown(row)}")
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
        except UnicodeEncodeError as error:
            half = error.object[error.start : error.end]
            raise ManifestError(
                f"{path}: the column '{name}' has half a letter ({half!a}), as is left where a "
                "text is cut within one; complete it, or remove it"
            ) from error
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise ManifestError(
                f"{path}: the column '{name}' has lists or records in some rows and words or "
                "numbers in others; write the same kind in all"
            ) from error
    return pl.DataFrame(columns)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": read_separated,
    ".tsv": read_separated,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".ndjson": _read_json,
}
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_separated(","),
    ".tsv": write_separated("\t"),
    ".jsonl": lambda table, path: table.write_ndjson(path),
}
# The columns that a format cannot hold.
UNFIT = {
    ".csv": selectors.nested() | selectors.binary(),
    ".tsv": selectors.nested() | selectors.binary(),
    ".jsonl": selectors.binary(),
}
