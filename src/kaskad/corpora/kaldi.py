"""Kaldi's data folders: wav.scp, text, utt2spk, spk2gender; each line a key and what belongs to it.

https://kaldi-asr.org/doc/data_prep.html
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.corpora.manifest import with_segments
from kaskad.corpora.paths import resolve_paths
from kaskad.corpora.text_files import ManifestError, read_lines

FOLDERS = MappingProxyType({"train": "train", "validation": "dev", "test": "test"})
GENDERS = {"f": "female", "m": "male"}
CHANNELS = {"A": 0, "B": 1, "1": 0, "2": 1}
SCHEMA = {
    "id": pl.String,
    "path": pl.String,
    "start": pl.Float64,
    "end": pl.Float64,
    "channel": pl.Int64,
    "text": pl.String,
    "speaker": pl.String,
    "language": pl.String,
}


def read_kaldi(
    root: str | Path,
    split: str,
    *,
    folders: Mapping[str, str] = FOLDERS,
    language: str = "ru",
    audio_root: str | Path | None = None,
) -> pl.DataFrame:
    """Return the data folder that ``folders`` names for ``split``, one row an utterance.

    Audio lies inside ``audio_root`` (default: ``root``), to which paths are relative. An utterance
    of ``text`` without audio has a row, too, with a path that is not there.

    Where there is a file ``segments``, an utterance is a part of a recording: its seconds are those
    there, and ``reco2file_and_channel`` may say on which side of a call it is.

    Raises ``FileNotFoundError`` where wav.scp or text is not, and ``ManifestError``, with file and
    line, for what is not UTF-8, for keys that repeat, for segments that are none, for archives, and
    for commands: nothing in wav.scp is ever run.
    """
    if split not in folders:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(folders)}")
    folder = Path(root, folders[split]).resolve()
    audio, texts = (_read(folder / name) for name in ("wav.scp", "text"))
    for utterance, path in audio.items():
        if "|" in (path[:1], path[-1:]):
            raise ManifestError(
                f"{folder}/wav.scp: {utterance} is a command ({path}), and commands are never "
                "run; write its output to an audio file and name that"
            )
        if re.search(r"\.ark:\d+$", path):
            raise ManifestError(
                f"{folder}/wav.scp: {utterance} lies in an archive of Kaldi ({path}); write its "
                "audio as files: wav-copy"
            )
    speakers, genders = (
        _read(folder / name) if (folder / name).is_file() else {}
        for name in ("utt2spk", "spk2gender")
    )
    segments = _segments(folder)
    places: dict[str, tuple[str, float | None, float | None, int | None]]
    if segments is None:
        places = {key: (path, None, None, None) for key, path in audio.items()}
    else:
        sides = _sides(folder)
        places = {
            key: (audio.get(recording) or recording, start, end, sides.get(recording))
            for key, (recording, start, end) in segments.items()
        }
    rows = [
        (
            key,
            *places.get(key, (key, None, None, None)),
            texts.get(key) or None,
            speakers.get(key) or None,
            language,
        )
        for key in dict.fromkeys([*places, *texts])
    ]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    if segments is None:
        table = table.drop("start", "end", "channel")
    named = {speaker: GENDERS.get(gender) for speaker, gender in genders.items()}
    table = table.with_columns(
        gender=pl.col("speaker").replace_strict(named, default=None, return_dtype=pl.String)
    )
    table = with_segments(table, folder / "segments")
    fence = Path(audio_root) if audio_root else None
    return resolve_paths(table, folder / "wav.scp", Path(root), fence)


def _segments(folder: Path) -> dict[str, tuple[str, float, float | None]] | None:
    """The recording, the first and the last second of each utterance; None without such a file.

    An end of -1 is that of the recording.
    """
    path = folder / "segments"
    if not path.is_file():
        return None
    segments: dict[str, tuple[str, float, float | None]] = {}
    for key, value in _read(path).items():
        try:
            recording, start, end = value.split()[:3]
            begins, ends = float(start), float(end)
        except ValueError as error:
            raise ManifestError(
                f"{path}: {key} {value}: a line is an utterance, its recording, and the seconds at "
                "which it begins and ends"
            ) from error
        segments[key] = (recording, begins, ends if ends >= 0 else None)
    return segments


def _sides(folder: Path) -> dict[str, int]:
    """Which channel a recording is, from 0, where reco2file_and_channel says so (A, B or 1, 2)."""
    path = folder / "reco2file_and_channel"
    lines = _read(path) if path.is_file() else {}
    sides = {key: value.split()[-1] for key, value in lines.items() if value}
    files = [value.split()[0] for value in lines.values() if value]
    if len(set(files)) == len(files):  # each side has a file of its own
        return {}
    for key, side in sides.items():
        if side not in CHANNELS:
            raise ManifestError(f"{path}: {key} {lines[key]}: its channel is none of A, B, 1, 2")
    return {key: CHANNELS[side] for key, side in sides.items()}


def _read(path: Path) -> dict[str, str]:
    """Read a file of ``key value`` lines."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path}; a Kaldi folder has wav.scp and text. Say where it is with data.root=…, "
            "and what its parts are called with data.source.folders.train=…"
        )
    values: dict[str, str] = {}
    for line, content in enumerate(read_lines(path), start=1):
        key, *value = content.split(maxsplit=1) or [""]
        if key in values:
            raise ManifestError(f"{path}: line {line}: the key {key} is there already")
        if key:
            values[key] = "".join(value).strip()
    return values
