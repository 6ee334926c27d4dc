"""LibriSpeech, and corpora laid out like it: <part>/<speaker>/<chapter>/<…>.trans.txt beside FLAC.

https://www.openslr.org/12
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.corpora.manifest import AUDIO_SUFFIXES, ManifestError

FOLDERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"train": ["train-clean-100"], "validation": ["dev-clean"], "test": ["test-clean"]}
)
GENDERS = {"F": "female", "M": "male"}
SCHEMA = dict.fromkeys(["id", "path", "text", "speaker", "gender", "language"], pl.String)


def librispeech(
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

    Raises ``FileNotFoundError``, saying what was looked for, where a folder is not.
    """
    if split not in folders:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(folders)}")
    folder = Path(root).resolve()
    folder = folder / "LibriSpeech" if (folder / "LibriSpeech").is_dir() else folder
    genders = _genders(folder / "SPEAKERS.TXT")
    rows = []
    for part in folders[split]:
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"no folder {part} in {folder}; say where the corpus is with data.root=…, and "
                f"which folders to take with data.source.folders.{split}=[…]"
            )
        audio = {
            path.stem: path
            for path in sorted((folder / part).rglob("*"))
            if path.suffix in AUDIO_SUFFIXES
        }
        texts, missing = _transcripts(folder / part)
        for key in sorted({*audio, *texts}):
            path, speaker = audio.get(key, missing.get(key)), key.split("-")[0]
            rows.append((key, str(path), texts.get(key), speaker, genders.get(speaker), language))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _transcripts(folder: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """Texts by utterance, and where its FLAC belongs."""
    texts, places = {}, {}
    for path in sorted(folder.rglob("*.trans.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, text = line.strip().partition(" ")
            if key:
                texts[key], places[key] = text, path.with_name(f"{key}.flac")
    return texts, places


def _genders(path: Path) -> dict[str, str | None]:
    """Read lines like ``14   | F | train-clean-360  | 25.03 | Kristin LeMoine``."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.split("|") for line in lines if not line.startswith(";")]
    return {row[0].strip(): GENDERS.get(row[1].strip()) for row in cells if len(row) > 1}
