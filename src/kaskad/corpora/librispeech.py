"""LibriSpeech, and corpora laid out like it: <part>/<speaker>/<chapter>/<…>.trans.txt beside FLAC.

https://www.openslr.org/12
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.audio.folders import audio_in, files_in
from kaskad.corpora.text_files import ManifestError, read_lines

FOLDERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"train": ["train-clean-100"], "validation": ["dev-clean"], "test": ["test-clean"]}
)
GENDERS = {"F": "female", "M": "male"}
SCHEMA = dict.fromkeys(["id", "path", "text", "speaker", "gender", "language"], pl.String)


def read_librispeech(
    root: str | Path,
    split: str,
    *,
    folders: Mapping[str, Sequence[str]] = FOLDERS,
    language: str = "en",
) -> pl.DataFrame:
    """Return the folders that ``folders`` names for ``split``, one row an utterance.

    ``root`` holds them and, for the genders, SPEAKERS.TXT; or it holds the folder LibriSpeech that
    does. Audio without a transcript has a row without text; a transcript without audio has a path
    that is not there.

    Raises ``FileNotFoundError``, saying what was looked for, where a folder is not, and
    ``ManifestError``, with the file, for what is not UTF-8 and for utterances that are there twice.
    """
    if split not in folders:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(folders)}")
    folder = Path(root).resolve()
    folder = folder / "LibriSpeech" if (folder / "LibriSpeech").is_dir() else folder
    genders = _genders(folder / "SPEAKERS.TXT")
    rows: list[tuple[str | None, ...]] = []
    paths: dict[str, Path] = {}
    for part in folders[split]:
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"no folder {part} in {folder}; say where the corpus is with data.root=…, and "
                f"which folders to take with data.source.folders.{split}=[…]"
            )
        texts, places = _transcripts(folder / part)
        places |= _recordings(folder / part)
        for key, path in sorted(places.items()):
            if key in paths:
                raise ManifestError(
                    f"{path}: the id {key} is that of {paths[key]}, too; every utterance needs its "
                    f"own: rename one, or leave a folder out of data.source.folders.{split}=[…]"
                )
            paths[key], speaker = path, key.split("-")[0]
            rows.append((key, str(path), texts.get(key), speaker, genders.get(speaker), language))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _recordings(folder: Path) -> dict[str, Path]:
    """Audio by utterance."""
    recordings: dict[str, Path] = {}
    for path in audio_in(folder):
        if path.stem in recordings:
            raise ManifestError(f"{path}: {recordings[path.stem]} is the same utterance; keep one")
        recordings[path.stem] = path
    return recordings


def _transcripts(folder: Path) -> tuple[dict[str, str | None], dict[str, Path]]:
    """Texts by utterance, and where its FLAC belongs."""
    texts: dict[str, str | None] = {}
    places: dict[str, Path] = {}
    for path in (path for path in files_in(folder) if path.name.endswith(".trans.txt")):
        for number, line in enumerate(read_lines(path), start=1):
            key, _, text = line.strip().partition(" ")
            if key in texts:
                raise ManifestError(
                    f"{path}: line {number}: {key} has a transcript already, in "
                    f"{places[key].parent}; keep one"
                )
            if key:
                texts[key], places[key] = text or None, path.with_name(f"{key}.flac")
    return texts, places


def _genders(path: Path) -> dict[str, str | None]:
    """Read lines like ``14   | F | train-clean-360  | 25.03 | Kristin LeMoine``."""
    if not path.is_file():
        return {}
    cells = [line.split("|") for line in read_lines(path) if not line.startswith(";")]
    return {row[0].strip(): GENDERS.get(row[1].strip()) for row in cells if len(row) > 1}
