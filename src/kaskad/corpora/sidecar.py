"""A folder of audio with a text file beside each recording: 0001.wav and 0001.txt."""

from pathlib import Path

import polars as pl

from kaskad.audio.folders import files_in, is_audio, no_audio, why_not_read
from kaskad.corpora.columns import find_column
from kaskad.corpora.json_text import parse_json, shown
from kaskad.corpora.splits import PARTS, name_parts, select_split
from kaskad.corpora.text_files import ManifestError, read_text

COLUMNS = ("id", "path", "text", "speaker", "language", "split", "problem")
SCHEMA = dict.fromkeys(COLUMNS, pl.String)


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
    them, it is divided as ``select_split`` divides. With ``speaker_folders`` each recording lies in
    a folder that is named after its speaker. A recording without text has a row without. A text
    whose recording is not there, or is of a kind that is not read, has a row whose ``problem`` says
    so.

    Where ``suffix`` is .json, a text is that of the object in the file.

    Raises ``FileNotFoundError`` where no audio is, and ``ManifestError`` for a text that is not
    UTF-8, for JSON without a text, or two recordings that differ by their suffix alone.
    """
    folder = Path(root).resolve()
    files = files_in(folder)
    recordings = {path.with_suffix(""): path for path in files if why_not_read(path)}
    audio: dict[Path, Path] = {}
    for path in filter(is_audio, files):
        if path.with_suffix("") in audio:
            raise ManifestError(
                f"{path}: {audio[path.with_suffix('')].name} has the same text; keep one"
            )
        audio[path.with_suffix("")] = path
    if not audio:
        raise FileNotFoundError(
            f"{no_audio(folder)}; say where it is with data.root=…: it has a {suffix} file beside "
            "each recording"
        )
    recordings |= audio
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == suffix.lower()}
    rows = []
    for stem in sorted({*recordings, *texts}):
        path = recordings.get(stem) or texts[stem]
        inside = path.relative_to(folder)
        speaker = path.parent.name if speaker_folders else None
        text = _transcript(texts[stem]) if stem in texts else None
        lost = None if stem in recordings else "there is no recording of this name for its text"
        problem = why_not_read(path) or lost
        row = (inside.as_posix(), str(path), text, speaker, language, inside.parts[0], problem)
        rows.append(row)
    table = name_parts(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    if table["problem"].is_null().all():
        table = table.drop("problem")
    if not table["split"].is_in(PARTS).any():
        table = table.drop("split")
    return select_split(table if speaker_folders else table.drop("speaker"), split, folder)


def _transcript(path: Path) -> str:
    text = read_text(path)
    if path.suffix.lower() == ".json":
        try:
            content = parse_json(text)
        except ValueError as error:
            raise ManifestError(f"{path}: not readable JSON: {error}") from error
        key = find_column(list(content), "text", path) if isinstance(content, dict) else None
        text = "" if key is None else content[key]
        if key is None or not isinstance(text, str):
            raise ManifestError(
                f"{path}: holds no object with a text: {shown(content)}; it looks like "
                '{"text": "the transcript"}'
            )
    return " ".join(text.split())
