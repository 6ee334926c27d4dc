"""Kaldi's data folders: wav.scp, text, utt2spk, spk2gender; each line a key and what belongs to it.

https://kaldi-asr.org/doc/data_prep.html
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.corpora.paths import resolve_paths
from kaskad.corpora.text_files import ManifestError, read_lines

FOLDERS = MappingProxyType({"train": "train", "validation": "dev", "test": "test"})
GENDERS = {"f": "female", "m": "male"}


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

    Raises ``FileNotFoundError`` where wav.scp or text is not, and ``ManifestError``, with file and
    line, for what is not UTF-8, for keys that repeat, for segments, and for commands: nothing in
    wav.scp is ever run.
    """
    if split not in folders:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(folders)}")
    folder = Path(root, folders[split]).resolve()
    if (folder / "segments").exists():
        raise ManifestError(
            f"{folder}/segments: utterances that are a part of their recording cannot be read; "
            "cut them into files (extract-segments scp:wav.scp segments …)"
        )
    audio, texts = (_read(folder / name) for name in ("wav.scp", "text"))
    for utterance, path in audio.items():
        if "|" in (path[:1], path[-1:]):
            raise ManifestError(
                f"{folder}/wav.scp: {utterance} is a command ({path}), and commands are never "
                "run; write its output to an audio file and name that"
            )
    speakers, genders = (
        _read(folder / name) if (folder / name).is_file() else {}
        for name in ("utt2spk", "spk2gender")
    )
    rows = [
        (key, audio.get(key) or key, texts.get(key) or None, speakers.get(key) or None, language)
        for key in dict.fromkeys([*audio, *texts])
    ]
    schema = dict.fromkeys(["id", "path", "text", "speaker", "language"], pl.String)
    table = pl.DataFrame(rows, schema=schema, orient="row")
    named = {speaker: GENDERS.get(gender) for speaker, gender in genders.items()}
    table = table.with_columns(
        gender=pl.col("speaker").replace_strict(named, default=None, return_dtype=pl.String)
    )
    return resolve_paths(table, folder / "wav.scp", Path(audio_root or root))


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
