"""Transcripts as clients of the transcription API know them."""

import math
import zlib
from collections.abc import Callable, Collection
from typing import Any

from kaskad.decoding.hypothesis import Word
from kaskad.models.recogniser import Recogniser
from kaskad.transcripts.subtitles import srt, vtt
from kaskad.transcripts.transcript import Passage, Transcript

TEXTS: dict[str, tuple[str, Callable[[Transcript], str]]] = {
    "text": ("text/plain", lambda transcript: transcript.text + "\n"),
    "srt": ("text/plain", srt),
    "vtt": ("text/vtt", vtt),
}


def verbose(
    transcript: Transcript, language: str | None, granularities: Collection[str], net: Recogniser
) -> dict[str, Any]:
    """A transcript with the times of its segments, words, or both, as ``granularities`` say."""
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": language or "",
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
    }
    if "segment" in granularities:
        spoken = [passage for passage in transcript.passages if passage.text]
        answer["segments"] = [_segment(id_, each, net) for id_, each in enumerate(spoken)]
    if "word" in granularities:
        answer["words"] = [timed(word) for word in transcript.words]
    return answer


def timed(word: Word) -> dict[str, Any]:
    """A word with its times, in seconds, and how sure the recogniser is of it."""
    confidence = None if word.confidence is None else round(word.confidence, 4)
    return {"word": word.text, "start": word.start, "end": word.end, "confidence": confidence}


def _segment(id_: int, passage: Passage, net: Recogniser) -> dict[str, Any]:
    text = passage.text.encode()
    sure = [word.confidence for word in passage.words if word.confidence]
    return {
        "id": id_,
        "seek": 0,
        "start": round(passage.start, 3),
        "end": round(passage.end, 3),
        "text": passage.text,
        "tokens": net.tokenizer.encode(passage.text),
        "temperature": 0.0,
        "avg_logprob": sum(map(math.log, sure)) / len(sure) if sure else 0.0,
        "compression_ratio": len(text) / len(zlib.compress(text)),
    }
