"""The answers of a crowd, read from the tables that Toloka exports."""

import csv
import io
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import polars as pl

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.corpora.text_files import ManifestError

log = logging.getLogger(__name__)

COLUMNS = MappingProxyType(
    {
        "audio": "INPUT:audio",
        "text": "OUTPUT:transcription",
        "worker": "ASSIGNMENT:worker_id",
        "golden": "GOLDEN:transcription",
    }
)
"""What an export calls what is read of it. It need not have golden answers (``GOLDEN:…``)."""
STATUS = "ASSIGNMENT:status"
# Assignments whose answers count: accepted, or done and not yet reviewed.
VOTING = ("APPROVED", "ACCEPTED", "SUBMITTED")
STATUSES = {
    "REJECTED": "rejected",
    "SKIPPED": "skipped",
    "EXPIRED": "not done in time",
    "ACTIVE": "not finished",
}
INPUT = "INPUT:"
GOLDEN = "GOLDEN:"
SEPARATORS = {".tsv": "\t", ".csv": ","}
SCHEMA: dict[str, type[pl.DataType]] = {
    **dict.fromkeys([*COLUMNS, "problem"], pl.String),
    "broken": pl.Boolean,
}
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
    ``problem`` says why an answer must not be used: its line is broken, it names no recording, or
    its assignment was not accepted (rejected, skipped, not finished or not done in time). What else
    the task showed (``INPUT:speaker``) is kept by its name in lower case. Answers may hold
    quotation marks, tabs and line breaks, as a TSV writes them. A line with too few or too many
    columns is ``broken``: nobody knows which cell is which, so only its ``audio`` is kept, and even
    that may be wrong. A file that is not UTF-8 is read as cp1251, with a warning.

    Raises ``ManifestError``, with file and line, where a column is missing, or a quotation mark
    that nobody closes has swallowed other rows.
    """
    separator = SEPARATORS[path.suffix]
    lines = _lines(path, separator)
    _, header = next(lines, (1, []))
    known = _find_columns(header, columns, path)
    shown = _also_shown(header, known["audio"])
    rows: list[dict[str, str | bool | None]] = []
    swallowed: list[tuple[int, str, bool]] = []
    for line, row in lines:
        is_broken = len(row) != len(header)
        names = _names_within(row, known["audio"], separator)
        swallowed += [(line, name, is_broken) for name in names]
        cells = [*row, *[""] * (len(header) - len(row))]
        if is_broken:
            cells = [cell if index == known["audio"] else "" for index, cell in enumerate(cells)]
        found = {name: cells[index].strip() or None for name, index in known.items()}
        status = found.pop("status", None)
        problem = None
        if is_broken:
            problem = f"line {line} of {path.name} has {len(row)} columns, not {len(header)}"
        elif not found["audio"]:
            problem = f"line {line} of {path.name} names no recording"
        elif status is not None and status.upper() not in VOTING:
            problem = f"the assignment was {STATUSES.get(status.upper(), f'in state {status}')}"
        also = {name: cells[index] or None for name, index in shown.items()}
        rows.append({**found, **also, "problem": problem, "broken": is_broken})
    answers = pl.DataFrame(rows, schema=SCHEMA | dict.fromkeys(shown, pl.String))
    _refuse_swallowed(swallowed, {*answers.filter(~pl.col("broken"))["audio"]}, path)
    return answers


def _find_columns(
    header: list[str], columns: Mapping[str, str | None], path: Path
) -> dict[str, int]:
    """Where in a row stands what is read. Without golden answers their usual column may be missing.

    Raises ``ManifestError`` for any other column that is not there.
    """
    wanted = {name: column for name, column in columns.items() if column is not None}
    if not any(column.startswith(GOLDEN) for column in header):
        wanted = {name: column for name, column in wanted.items() if column != COLUMNS["golden"]}
    for name, column in wanted.items():
        if column not in header:
            absent = ", or null where there is none" if name in ("worker", "golden") else ""
            raise ManifestError(
                f"{path}: no column '{column}' ({name}), only {', '.join(header)}; "
                f"say what it is called with data.source.columns.{name}=…{absent}"
            )
    if STATUS in header:
        wanted["status"] = STATUS
    return {name: header.index(column) for name, column in wanted.items()}


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
    try:
        for row in reader:
            if any(row):
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(f"{path}: line {begins}: not a readable table: {error}") from error


def _names_within(row: list[str], audio: int, separator: str) -> Iterator[str]:
    """What would name recordings, were the lines of the row's cells rows of their own."""
    for column, cell in enumerate(row):
        lines = cell.splitlines()
        for number, line in enumerate(lines if len(lines) > 1 else []):
            cells = line.split(separator)
            place = audio if number else audio - column  # the first line goes on with this row
            if len(cells) > 1 and 0 <= place < len(cells) and (number or place):
                yield cells[place].strip()


def _refuse_swallowed(
    swallowed: Iterable[tuple[int, str, bool]], names: Collection[str], path: Path
) -> None:
    """Raise ``ManifestError`` for a line within an answer that is a row.

    Toloka itself writes tabs and line breaks into answers, so the line must name a recording, or
    have broken the row that it is in.
    """
    for line, name, is_broken in swallowed:
        suffix = PurePosixPath(name.partition("?")[0]).suffix.lower()
        if is_broken or name in names or suffix in AUDIO_SUFFIXES:
            raise ManifestError(
                f"{path}: line {line}: a quotation mark opens an answer and is not closed, "
                'so other rows are taken for part of it; close it, or double it ("")'
            )


def _decode(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content.decode(FALLBACK, errors="replace")
        before, after = text[: error.start], text[error.start :]
        shown = before.rpartition("\n")[2][-20:] + after.partition("\n")[0][:40]
        log.warning("%s is not UTF-8; read as %s, where it says: %s", path, FALLBACK, shown)
        return text
