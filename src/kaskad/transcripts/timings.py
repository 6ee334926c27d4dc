"""The times of words, as other tools read them: NIST's CTM and Praat's TextGrid."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kaskad.decoding.hypothesis import Word
from kaskad.transcripts.transcript import Transcript


class NoTimesError(ValueError):
    """A transcript whose words have no times, where a file of times is wanted."""


@dataclass(frozen=True)
class Tier:
    """Words, or labels, one after the other; the row of a TextGrid."""

    name: str
    words: Sequence[Word]


def ctm(transcripts: Sequence[Transcript]) -> str:
    """A line a word: recording, channel (counted from 1), start, duration, word, confidence."""
    lines = []
    for transcript in transcripts:
        name = "_".join(transcript.name.split())
        for passage in transcript.passages:
            channel = 1 if passage.channel is None else passage.channel + 1
            for word in passage.words:
                start, end = times(word, transcript)
                sure = "" if word.confidence is None else f" {word.confidence:.3f}"
                lines.append(f"{name} {channel} {start:.3f} {end - start:.3f} {word.text}{sure}\n")
    return "".join(lines)


def textgrid(transcript: Transcript, more: Sequence[Tier] = ()) -> str:
    """A tier of words a channel, and ``more`` tiers, with empty intervals between the words."""
    tiers = [
        Tier(
            "words" if channel is None else f"words {channel + 1}",
            transcript.of_channel(channel).words,
        )
        for channel in transcript.channels
    ]
    tiers += more
    parts = [
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {transcript.duration:.3f}\ntiers? <exists>\nsize = {len(tiers)}\n"
        "item []:\n"
    ]
    for number, tier in enumerate(tiers, start=1):
        intervals = _intervals(tier, transcript)
        parts.append(
            f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{tier.name}"\n'
            f"        xmin = 0\n        xmax = {transcript.duration:.3f}\n"
            f"        intervals: size = {len(intervals)}\n"
        )
        for index, (start, end, text) in enumerate(intervals, start=1):
            quoted = text.replace('"', '""')
            parts.append(
                f"        intervals [{index}]:\n            xmin = {start:.3f}\n"
                f'            xmax = {end:.3f}\n            text = "{quoted}"\n'
            )
    return "".join(parts)


def times(word: Word, transcript: Transcript) -> tuple[float, float]:
    """The start and end of a word; raises ``NoTimesError`` where it has none."""
    if word.start is None or word.end is None:
        raise NoTimesError(
            f"{transcript.name}: {word.text!r} has no times, for this recogniser has no frames to "
            "tell them from; write .txt or .csv, or take a recogniser with CTC"
        )
    return word.start, word.end


def _intervals(tier: Tier, transcript: Transcript) -> list[tuple[float, float, str]]:
    """Intervals that cover a recording without a gap, as Praat wants them."""
    spoken = [(*times(word, transcript), word.text) for word in tier.words]
    # Words that meet within a millisecond overlap by as much, once they are rounded.
    bounds = [(0.0, 0.0, ""), *spoken, (transcript.duration, transcript.duration, "")]
    intervals = []
    for (_, before, _), (start, end, text) in pairwise(bounds):
        if start > before:
            intervals.append((before, start, ""))
        if end > max(start, before):
            intervals.append((max(start, before), end, text))
    return intervals
