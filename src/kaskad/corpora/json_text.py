"""JSON as other tools write it, in which no key may stand twice."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from kaskad.corpora.text_files import ManifestError

SHOWN = 40  # characters
BETWEEN = re.compile(r"[\s,]*")  # the rows of an array


def parse_json(text: str) -> Any:
    """Return what a text in JSON says; raises ``ValueError`` where it is none, and where a key
    stands twice in an object: readers differ in which of them counts."""
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def line_of_fault(text: str) -> int:
    """On which line of an array the row begins that ``parse_json`` does not return."""
    decoder, place = json.JSONDecoder(object_pairs_hook=_without_doubles), text.index("[") + 1
    try:
        while True:
            before = BETWEEN.match(text, place)
            place = before.end() if before else place
            place = decoder.raw_decode(text, place)[1]
    except (ValueError, RecursionError):
        return text.count("\n", 0, place) + 1


def refuse_doubled_keys(path: Path, keys: Sequence[str]) -> None:
    """Raise ``ManifestError``, with the line, where one of the ``keys`` stands twice in an object
    of a file that has one on each line."""
    if not keys:
        return
    line = pl.col("line")
    counts = (line.str.count_matches(rf'"{re.escape(key)}"\s*:') > 1 for key in keys)
    lines = pl.scan_lines(path, row_index_name="number", row_index_offset=1, glob=False)
    # An inner object may have a key of the outer one, and so each is looked at.
    for number, text in lines.filter(pl.any_horizontal(counts)).collect().rows():
        try:
            parse_json(text.lstrip("\ufeff"))
        except ValueError as error:
            raise ManifestError(f"{path}: line {number}: {error}") from error


def shown(value: Any) -> str:
    """The beginning of a value, to be known again by."""
    return json.dumps(value, ensure_ascii=False)[:SHOWN]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in found if names.count(name) > 1)
        values = " and ".join(shown(value) for name, value in pairs if name == double)
        raise ValueError(
            f"the key '{double}' stands twice in an object, with {values}; keep the one that counts"
        )
    return found
