"""Lhotse's cuts, JSON lines, plain or gzipped: https://lhotse.readthedocs.io/en/latest/cuts.html."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from kaskad.corpora.manifest import refuse_repeated_ids
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
SCHEMA = dict.fromkeys(["id", "path", "text", "speaker", "gender", "language"], pl.String)
TOLERANCE = 0.01  # seconds by which a cut may be shorter than its recording


def read_lhotse(
    root: str | Path,
    split: str,
    *,
    files: Mapping[str, str] = FILES,
    language: str = "ru",
    audio_root: str | Path | None = None,
) -> pl.DataFrame:
    """Return the cuts of the file that ``files`` names for ``split``, one row a cut.

    The texts of several supervisions are joined. Audio lies inside ``audio_root`` (default:
    ``root``), to which paths are relative.

    Raises ``FileNotFoundError`` where the file is not, and ``ManifestError``, with file and line,
    for what cannot be read as it is: a cut that is a part (in time, or one channel of several) or a
    mixture of recordings, is changed on the fly, or has its audio from a command, a URL or an
    archive. Commands are never run.
    """
    path = table_of(root, split, files)
    opened = gzip.open if path.suffix == ".gz" else open
    rows = []
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append(_row(json.loads(line), language, f"{path}: line {number}"))
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        if isinstance(error, ManifestError):
            raise
        fault = f"{type(error).__name__}: {error}"
        raise ManifestError(f"{path}: line {len(rows) + 1}: not a Lhotse cut: {fault}") from error
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    refuse_repeated_ids(table, path)
    return resolve_paths(table, path, Path(audio_root or root))


def _row(cut: dict[str, Any], language: str, where: str) -> tuple[str | None, ...]:
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
    if fault := _fault(cut, recording):
        raise ManifestError(
            f"{where}: {cut['id']} is {fault}; write it as audio with cuts.save_audios(…)"
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
    )


def _fault(cut: dict[str, Any], recording: dict[str, Any]) -> str | None:
    """What the cut is where it is not its whole recording, as it lies in the file."""
    if cut["start"] > TOLERANCE or cut["duration"] < recording["duration"] - TOLERANCE:
        return "only a part of its recording"
    channel, channels = cut.get("channel", 0), recording["sources"][0].get("channels", [0])
    if channels != [channel]:
        return f"only channel {channel} of a recording of channels {channels}, which are read mixed"
    return "its recording changed on the fly" if recording.get("transforms") else None
