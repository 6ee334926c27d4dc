"""Rows of a table that cannot serve, refused by file, column and line."""

import json
from pathlib import Path

import polars as pl

from kaskad.corpora.columns import find_column
from kaskad.corpora.separated import Form, lines_of_rows
from kaskad.corpora.text_files import ManifestError, read_lines

SHOWN_ROWS = 5
SEPARATED, LINES_OF_JSON = (".csv", ".tsv"), (".jsonl", ".ndjson")


def refuse_rows(
    table: pl.DataFrame,
    path: Path,
    wrong: pl.Expr,
    column: str,
    *,
    fault: str,
    remedy: str,
    named_by: str | None = None,
    is_read: bool = True,
) -> None:
    """Raise ``ManifestError`` if rows are ``wrong``, naming the first of them.

    Args:
        table: the rows, all of them, in the order of the file.
        path: of the table.
        wrong: true where a row cannot serve.
        column: which is at fault.
        fault: what is wrong, as the sentence "in 1 of 2 rows …".
        remedy: what to do.
        named_by: the column whose content is shown (None: that at fault).
        is_read: whether the rows were read from ``path``; others are to be written there.
    """
    shown = table.select(name=named_by or column, wrong=wrong)
    rows = shown.with_row_index("row").filter("wrong")
    if rows.height:
        first = rows.sort("name", "row").select("row", "name").head(SHOWN_ROWS).rows()
        lines = _lines(path) if is_read else []
        if len(lines) == table.height:
            named = ", ".join(f"line {lines[row]}: {name}" for row, name in first)
        else:
            named = ", ".join(f"row {row + 1}: {name}" for row, name in first)
        name = _as_written(column, path) if is_read else column
        more = ", …" if rows.height > SHOWN_ROWS else ""
        raise ManifestError(
            f"{path}: column '{name}': in {rows.height} of {table.height} rows "
            f"{fault} ({named}{more}); {remedy}"
        )


def _lines(path: Path) -> list[int]:
    """On which line of a text each row begins; none where that is no text of lines."""
    suffix = path.suffix.lower()
    if suffix in SEPARATED and path.is_file():
        return lines_of_rows(path)
    if suffix in LINES_OF_JSON and path.is_file():
        return [number for number, line in enumerate(read_lines(path), start=1) if line.strip()]
    return []


def _as_written(column: str, path: Path) -> str:
    """What a table itself calls one of our columns."""
    columns: list[str] = []
    suffix = path.suffix.lower()
    if suffix in SEPARATED and path.is_file():
        columns = Form.of(path).columns
    elif suffix in LINES_OF_JSON and path.is_file():
        first = next((line for line in read_lines(path) if line.strip()), "{}")
        columns = list(json.loads(first))
    return find_column(columns, column, path) or column
