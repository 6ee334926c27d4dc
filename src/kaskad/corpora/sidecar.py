"""A folder of audio with a text file beside each recording: 0001.wav and 0001.txt."""

import logging
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import AUDIO_SUFFIXES, ManifestError
from kaskad.corpora.table import PARTS, SPLIT_NAMES, select_split

log = logging.getLogger(__name__)

SCHEMA = dict.fromkeys(["id", "path", "text", "speaker", "language", "split"], pl.String)


def sidecar(
    root: str | Path,
    split: str,
    *,
    language: str = "ru",
    suffix: str = ".txt",
    speaker_folders: bool = False,
) -> pl.DataFrame:
    """Return one split of the recordings in ``root`` and below, one row a recording.

    Splits are its folders train, validation (or val, dev, valid) and test; where it has none of
    them, it is divided as ``table`` divides. With ``speaker_folders`` each recording lies in a
    folder that is named after its speaker. A recording without text has a row without; a text
    without a recording has a path that is not there.

    Raises ``FileNotFoundError`` where no audio is, and ``ManifestError`` for a text that is not
    UTF-8, or two recordings that differ by their suffix alone.
    """
    folder = Path(root).resolve()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise FileNotFoundError(
            f"no audio in {root} ({', '.join(sorted(AUDIO_SUFFIXES))}); say where it is with "
            f"data.root=…: it has a {suffix} file beside each recording"
        )
    recordings: dict[Path, Path] = {}
    for path in audio:
        if path.with_suffix("") in recordings:
            raise ManifestError(
                f"{path}: {recordings[path.with_suffix('')].name} has the same text; keep one"
            )
        recordings[path.with_suffix("")] = path
    texts = {path.with_suffix(""): path for path in files if path.suffix == suffix}
    rows = []
    for stem in sorted({*recordings, *texts}):
        path = recordings.get(stem, Path(f"{stem}.wav"))
        inside = path.relative_to(folder)
        part = SPLIT_NAMES.get(inside.parts[0], inside.parts[0])
        speaker = path.parent.name if speaker_folders else None
        text = _read(texts[stem]) if stem in texts else None
        rows.append((inside.as_posix(), str(path), text, speaker, language, part))
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    elsewhere = table.filter(~pl.col("split").is_in(PARTS))
    if elsewhere.height == table.height:
        table = table.drop("split")
    elif elsewhere.height:
        log.warning(
            "%s: %d recordings lie in none of the folders %s, and are in no part: %s, …",
            folder,
            elsewhere.height,
            ", ".join(PARTS),
            elsewhere["id"][0],
        )
    return select_split(table if speaker_folders else table.drop("speaker"), split, folder)


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text(encoding="utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8: {error.reason}; convert it") from error
