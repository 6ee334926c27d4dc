"""The answers of a crowd, read from the tables that Toloka exports."""

import csv
import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.corpora.manifest import ManifestError

log = logging.getLogger(__name__)

COLUMNS = MappingProxyType(
    {
        "audio": "INPUT:audio",
        "text": "OUTPUT:transcription",
        "worker": "ASSIGNMENT:worker_id",
        "golden": "GOLDEN:transcription",
    }
)
"""What an export calls what is read of it. It need not have golden answers."""
STATUS = "ASSIGNMENT:status"
INPUT = "INPUT:"
SEPARATORS = {".tsv": "\t", ".csv": ","}
SCHEMA = dict.fromkeys([*COLUMNS, "problem"], pl.String)
FALLBACK = "cp1251"


def has_answers(path: Path, columns: Mapping[str, str | None] = COLUMNS) -> bool:
    """Whether a table is an export of answers and not a manifest: by its first line."""
    if path.suffix not in SEPARATORS:
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        header = next(csv.reader(lines, delimiter=SEPARATORS[path.suffix]), [])
    return columns["text"] in header or any(name.startswith(INPUT) for name in header)


def read_answers(path: Path, columns: Mapping[str, str | None] = COLUMNS) -> pl.DataFrame:
    """Read an export, one row an answer: ``audio``, ``text``, ``worker``, ``golden``, ``problem``.

    ``columns`` says what these are called there; ``worker: null`` is a crowd without names.
    ``problem`` says why an answer must not be used (its line is broken, it names no recording, it
    was rejected). What else the task showed (``INPUT:speaker``) is kept by its name in lower case.
    Answers may hold quotation marks, tabs and line breaks, as a TSV writes them. A file that is not
    UTF-8 is read as cp1251, with a warning.

    Raises ``ManifestError``, with file and line, where a column is missing, or a quotation mark
    that nobody closes has swallowed other rows.
    """
    lines = _lines(path, SEPARATORS[path.suffix])
    _, header = next(lines, (1, []))
    known = {name: header.index(column) for name, column in columns.items() if column in header}
    for name in ("audio", "text", "worker"):
        if name not in known and columns[name] is not None:
            raise ManifestError(
                f"{path}: no column '{columns[name]}' ({name}), only {', '.join(header)}; "
                f"say what it is called with data.source.columns.{name}=…"
            )
    if STATUS in header:
        known["status"] = header.index(STATUS)
    shown = _also_shown(header, known["audio"])
    rows = []
    for line, row in lines:
        broken = None
        if len(row) != len(header):
            broken = f"line {line} of {path.name} has {len(row)} columns, not {len(header)}"
        cells = [*row, *[""] * (len(header) - len(row))]
        found = {name: cells[index].strip() or None for name, index in known.items()}
        rejected = found.pop("status", None) == "REJECTED"
        found["problem"] = (
            broken
            or (f"line {line} of {path.name} names no recording" if not found["audio"] else None)
            or ("the assignment was rejected" if rejected else None)
        )
        rows.append(found | {name: cells[index] or None for name, index in shown.items()})
    return pl.DataFrame(rows, schema=SCHEMA | dict.fromkeys(shown, pl.String))


def _also_shown(header: list[str], audio: int) -> dict[str, int]:
    """What a task showed beside the recording; names that a manifest uses itself are left out."""
    names = {
        name.removeprefix(INPUT).lower(): index
        for index, name in enumerate(header)
        if name.startswith(INPUT) and index != audio
    }
    taken = {*SCHEMA, "id", "path", "confidence", "answers", "split", "duration"}
    return {name: index for name, index in names.items() if name not in taken}


def _lines(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line on which it begins."""
    reader = csv.reader(io.StringIO(_decode(path), newline=""), delimiter=separator)
    begins = 1
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            # Toloka itself writes an answer's tab or line break, but hardly a whole row of tabs.
            if any(line.count(separator) >= width - 1 for cell in row for line in _inner(cell)):
                raise ManifestError(
                    f"{path}: line {begins}: a quotation mark opens an answer and is not closed, "
                    'so other rows are taken for part of it; close it, or double it ("")'
                )
            if any(row):
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(f"{path}: line {begins}: not a readable table: {error}") from error


def _inner(cell: str) -> list[str]:
    """The lines of a cell of several, but for the first."""
    return cell.splitlines()[1:]


def _decode(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content.decode(FALLBACK, errors="replace")
        shown = text[max(0, error.start - 20) :].split("\n")[0][:60]
        log.warning("%s is not UTF-8; read as %s, where it says: %s", path, FALLBACK, shown)
        return text
