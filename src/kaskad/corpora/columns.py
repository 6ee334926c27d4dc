"""What the columns of a manifest are called, by us and by others."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from kaskad.corpora.text_files import ManifestError

# What other tools call our columns: NeMo, Common Voice, Hugging Face, DeepSpeech, Kaldi, ESPnet.
# Capitals do not matter, and a blank or a hyphen is as good as an underscore.
OTHERS_SAY = {
    "path": "audio_filepath audio_file audio_path audio file file_name file_path filename filepath "
    "wav wav_file wav_filename wav_path",
    "text": "sentence transcript transcription",
    "id": "utt utt_id uttid utterance_id",
    "speaker": "client_id speaker_id spk spk_id",
    "gender": "sex",
    "language": "locale lang",
    "start": "start_time begin start_sec",
    "end": "end_time stop end_sec",
}
SYNONYMS = {other: ours for ours, others in OTHERS_SAY.items() for other in others.split()}
# Words, even where they look like numbers: speaker 01 is not speaker 1.
WORDS = ("path", "text", "id", "speaker", "gender", "language", "split")
# Seconds.
SECONDS = ("start", "end", "offset", "duration")
COUNTS = ("channel",)
OURS = tuple(dict.fromkeys((*OTHERS_SAY, *WORDS, *SECONDS, *COUNTS, "number")))
KNOWN = frozenset((*SYNONYMS, *OURS))


# What stands unseen before the first name of a file that was saved twice, or pasted.
UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b\u200e\u200f\u2060"))


@functools.lru_cache(maxsize=2**16)  # each of ours is looked for among all of a table
def plain(name: str) -> str:
    """Return the name of a column as it is compared."""
    return name.translate(UNSEEN).strip().lower().replace(" ", "_").replace("-", "_")


def find_column(columns: Sequence[str], name: str, path: Path) -> str | None:
    """Return which column is ``name``, by itself or by a synonym; ``None`` where none is.

    Raises ``ManifestError`` if several claim to be.
    """
    if name in columns:
        return name
    same = [column for column in columns if plain(column) == name]
    found = same or [column for column in columns if SYNONYMS.get(plain(column)) == name]
    if len(found) > 1:
        raise ManifestError(
            f"{path}: {' and '.join(found)} each stand for the column '{name}'; "
            f"rename the one that counts to '{name}'"
        )
    return found[0] if found else None


def by_our_names(table: pl.DataFrame, path: Path, names: Iterable[str] = OURS) -> pl.DataFrame:
    """Return the table with the columns ``names`` called so, whatever they are called in it."""
    found = {find_column(table.columns, name, path): name for name in names}
    return table.rename({column: name for column, name in found.items() if column is not None})


def doubles(columns: Sequence[str], name: str, chosen: str) -> list[str]:
    """Return other columns that could be ``name``, too."""
    return [c for c in columns if c != chosen and SYNONYMS.get(plain(c), plain(c)) == name]
