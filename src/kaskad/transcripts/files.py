"""Transcripts written as the suffix of a file says."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.storage.files import require_place, write_text
from kaskad.transcripts.subtitles import srt, vtt
from kaskad.transcripts.timings import ctm, textgrid
from kaskad.transcripts.transcript import Transcript

# Formats of one recording a file, and of many, by their suffixes in lower case.
OF_ONE: dict[str, Callable[[Transcript], str]] = {".srt": srt, ".vtt": vtt, ".textgrid": textgrid}
OF_MANY: dict[str, Callable[[Sequence[Transcript]], str]] = {
    ".ctm": ctm,
    ".json": lambda transcripts: as_json(transcripts),
    ".txt": lambda transcripts: as_lines(transcripts),
}
SUFFIXES = (*OF_ONE, *OF_MANY)
EACH = "*"  # stands for the name of each recording in the name of a file


def require_fitting(path: Path, recordings: int) -> None:
    """Make the folder of ``path``; raise ``ValueError`` where nothing can be written there, or a
    file of this name cannot hold so many recordings."""
    try:
        require_place(path)
    except OSError as error:
        raise ValueError(str(error)) from error
    if path.suffix.lower() in OF_ONE and recordings > 1 and EACH not in path.name:
        raise ValueError(
            f"{path}: a {path.suffix} file has room for one recording, and there are {recordings}; "
            f"for a file each, write output='{path.parent / (EACH + path.suffix)}'"
        )


def write_transcripts(
    transcripts: Sequence[Transcript],
    path: Path,
    instead: Mapping[str, Callable[[Transcript], str]] | None = None,
) -> list[Path]:
    """Write transcripts in the format that the suffix of ``path`` names; return the files.

    Where the name holds a ``*``, each recording has its own file, and the ``*`` is its name. What
    could not be transcribed has no file of its own. Raises ``ValueError`` as ``require_fitting``
    does, and ``NoTimesError`` where words have no times and the format needs them. ``instead``
    writes formats of one recording in another way.
    """
    require_fitting(path, len(transcripts))
    of_one = {**OF_ONE, **(instead or {})}

    def content(part: Sequence[Transcript]) -> str:
        if path.suffix.lower() in OF_MANY:
            return OF_MANY[path.suffix.lower()](part)
        return "".join(map(of_one[path.suffix.lower()], part))

    if EACH in path.name:
        transcribed = [each for each in transcripts if each.error is None]
        files = [path.with_name(path.name.replace(EACH, _file_name(each))) for each in transcribed]
        for file, transcript in zip(files, transcribed, strict=True):
            write_text(content([transcript]), file)
        return files
    write_text(content(transcripts), path)
    return [path]


def as_json(transcripts: Sequence[Transcript]) -> str:
    """Recordings with their segments, words and n-best lists; times in seconds."""
    recordings = [
        {
            "recording": each.name,
            "duration": round(each.duration, 3),
            "text": each.text,
            "confidence": _rounded(each.confidence),
            "error": each.error,
            "segments": [
                {
                    "start": passage.start,
                    "end": passage.end,
                    "channel": passage.channel,
                    **_hypothesis(passage.hypothesis),
                    "alternatives": list(map(_hypothesis, passage.hypothesis.alternatives)),
                }
                for passage in each.passages
            ],
        }
        for each in transcripts
    ]
    return json.dumps(recordings, ensure_ascii=False, indent=1) + "\n"


def as_lines(transcripts: Sequence[Transcript]) -> str:
    """A line a segment in which there are words; a blank line between recordings."""
    texts = [
        "".join(f"{passage.text}\n" for passage in each.passages if passage.text)
        for each in transcripts
    ]
    return "\n".join(texts)


def word_record(word: Word) -> dict[str, Any]:
    """A word as it stands in JSON and in tables."""
    return {
        "text": word.text,
        "start": word.start,
        "end": word.end,
        "confidence": _rounded(word.confidence),
    }


def _hypothesis(hypothesis: Hypothesis) -> dict[str, Any]:
    before = hypothesis.uncorrected
    return {
        "text": hypothesis.text,
        **({} if before is None else {"uncorrected": before}),
        "score": _rounded(hypothesis.score),
        "confidence": _rounded(hypothesis.confidence),
        "words": list(map(word_record, hypothesis.words)),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def _file_name(transcript: Transcript) -> str:
    return transcript.name.replace("/", "_")
