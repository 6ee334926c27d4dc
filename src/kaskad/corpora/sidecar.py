"""A folder of audio with a text file beside each recording: 0001.wav and 0001.txt."""

from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import AUDIO_SUFFIXES, ManifestError
from kaskad.corpora.table import PARTS, name_parts, select_split
from kaskad.corpora.text_files import read_text

SCHEMA = dict.fromkeys(["id", "path", "text", "speaker", "language", "split"], pl.String)


def read_sidecar(
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
        speaker = path.parent.name if speaker_folders else None
        text = " ".join(read_text(texts[stem]).split()) if stem in texts else None
        rows.append((inside.as_posix(), str(path), text, speaker, language, inside.parts[0]))
    table = name_parts(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    if not table["split"].is_in(PARTS).any():
        table = table.drop("split")
    return select_split(table if speaker_folders else table.drop("speaker"), split, folder)
