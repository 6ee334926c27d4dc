"""Lhotse's cuts, JSON lines, plain or gzipped: https://lhotse.readthedocs.io/en/latest/cuts.html."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from kaskad.corpora.json_text import parse_json
from kaskad.corpora.manifest import refuse_repeated_ids, with_segments
from kaskad.corpora.paths import resolve_paths
from kaskad.corpora.table import table_of
from kaskad.corpora.text_files import ManifestError

FILES = MappingProxyType(
    {
        "train": "cuts_train.jsonl.gz",
        "validation": "cuts_dev.jsonl.gz",
        "test": "cuts_test.jsonl.gz",
    }
)
GENDERS = {"f": "female", "m": "male"}
SCHEMA = {
    **dict.fromkeys(["id", "path", "text", "speaker", "gender", "language"], pl.String),
    **dict.fromkeys(["start", "end"], pl.Float64),
    "channel": pl.Int64,
}
TOLERANCE = 0.01  # seconds by which a cut of a whole recording may be shorter


def read_lhotse(
    root: str | Path,
    split: str,
    *,
    files: Mapping[str, str] = FILES,
    language: str = "ru",
    audio_root: str | Path | None = None,
) -> pl.DataFrame:
    """Return the cuts of the file that ``files`` names for ``split``, one row a cut.

    A cut may be a part of its recording, in time or one channel of several. The texts of several
    supervisions are joined. Audio lies inside ``audio_root`` (default:
    ``root``), to which paths are relative.

    Raises ``FileNotFoundError`` where the file is not, and ``ManifestError``, with file and line,
    for what cannot be read as it is: a cut that is a mixture of recordings, is changed on the fly,
    or has its audio from a command, a URL or an archive. Commands are never run.
    """
    path = table_of(root, split, files)
    opened = gzip.open if path.suffix == ".gz" else open
    rows = []
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append(_row(parse_json(line), language, f"{path}: line {number}"))
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        if isinstance(error, ManifestError):
            raise
        fault = f"{type(error).__name__}: {error}"
        raise ManifestError(f"{path}: line {len(rows) + 1}: not a Lhotse cut: {fault}") from error
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    refuse_repeated_ids(table, path)
    segments = table.select("start", "end", "channel")
    if segments.null_count().sum_horizontal().item() == 3 * table.height:  # all whole, as a rule
        table = table.drop("start", "end", "channel")
    fence = Path(audio_root) if audio_root else None
    return resolve_paths(with_segments(table, path), path, Path(root), fence)


def _row(cut: dict[str, Any], language: str, where: str) -> tuple[str | float | None, ...]:
    recording = cut.get("recording")
    kind = cut.get("type", "MonoCut")
    if kind != "MonoCut" or recording is None:
        raise ManifestError(
            f"{where}: {cut['id']} is a {kind if recording else 'cut without a recording'}; only "
            "cuts of one recording can be read: write them as audio with cuts.save_audios(…)"
        )
    sources = recording["sources"]
    kinds = " and ".join(source["type"] for source in sources)
    if kinds != "file":
        raise ManifestError(
            f"{where}: the audio of {cut['id']} is a {kinds}, not a file; nothing is run or "
            "fetched: write it as audio with cuts.save_audios(…)"
        )
    if recording.get("transforms"):
        raise ManifestError(
            f"{where}: {cut['id']} is its recording changed on the fly; write it as audio with "
            "cuts.save_audios(…)"
        )
    spoken = sorted(cut.get("supervisions", []), key=lambda supervision: supervision["start"])
    texts = [supervision["text"] for supervision in spoken if supervision.get("text")]
    first = spoken[0] if spoken else {}
    return (
        cut["id"],
        sources[0]["source"],
        " ".join(texts) or None,
        first.get("speaker") or None,
        GENDERS.get(str(first.get("gender"))[:1].lower()),
        language,
        *_segment(cut, recording),
    )


def _segment(
    cut: dict[str, Any], recording: dict[str, Any]
) -> tuple[float | None, float | None, int | None]:
    """Start and end in seconds, and the channel, where a cut is not all of its recording."""
    start, end = float(cut["start"]), float(cut["start"]) + float(cut["duration"])
    channel, channels = cut.get("channel", 0), recording["sources"][0].get("channels", [0])
    is_part = start > TOLERANCE or end < recording["duration"] - TOLERANCE
    side = None if channels == [channel] else channel
    if side in channels:
        side = channels.index(side)
    return (round(start, 6), round(end, 6), side) if is_part else (None, None, side)
