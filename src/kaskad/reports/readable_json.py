"""JSON that a person reads: letters as they are, indented, arrays of numbers on one line."""

import json
import re
from typing import Any

import polars as pl

# No string holds a bare newline or, between these brackets, a quotation mark: only arrays match.
_ARRAY = re.compile(r'\[\n\s+([^\[\]{}"]+?)\n\s+\]')


def to_json(content: Any) -> str:
    """As JSON; a table becomes its columns, an array each."""
    text = json.dumps(content, ensure_ascii=False, indent=4, default=_columns)
    return _ARRAY.sub(lambda array: f"[{' '.join(array[1].split())}]", text)


def _columns(table: pl.DataFrame) -> dict[str, list[Any]]:
    return table.to_dict(as_series=False)
