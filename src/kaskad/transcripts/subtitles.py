"""Subtitles that can be read: SubRip (.srt) and WebVTT (.vtt).

At most two lines of 42 characters, at most 7 seconds, broken at pauses, as the guides of the BBC
and of Netflix ask.
"""

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kaskad.decoding.hypothesis import Word
from kaskad.transcripts.transcript import Passage, Transcript

LINE = 42  # characters
LINES = 2
LONGEST, SHORTEST = 7.0, 1.0  # seconds
PAUSE = 0.6  # seconds: a longer one ends a subtitle


@dataclass(frozen=True)
class Subtitle:
    """Lines that are shown from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    lines: list[str]
    channel: int | None = None


def srt(transcript: Transcript) -> str:
    """A transcript as SubRip; where channels are apart, each subtitle begins with its own."""
    shown = []
    for number, subtitle in enumerate(subtitles(transcript), start=1):
        side = "" if subtitle.channel is None else f"[{subtitle.channel + 1}] "
        times = f"{_time(subtitle.start, ',')} --> {_time(subtitle.end, ',')}"
        shown.append("\n".join([str(number), times, side + subtitle.lines[0], *subtitle.lines[1:]]))
    return "\n\n".join(shown) + "\n" if shown else ""


def vtt(transcript: Transcript) -> str:
    """A transcript as WebVTT; where channels are apart, each is a voice."""
    shown = ["WEBVTT"]
    for subtitle in subtitles(transcript):
        text = html.escape("\n".join(subtitle.lines), quote=False)
        if subtitle.channel is not None:
            text = f"<v {subtitle.channel + 1}>{text}"
        shown.append(f"{_time(subtitle.start, '.')} --> {_time(subtitle.end, '.')}\n{text}")
    return "\n\n".join(shown) + "\n"


def subtitles(transcript: Transcript) -> list[Subtitle]:
    """Cut a transcript into subtitles, in the order of time.

    One that is too short to be read stays a second, or until the next of its channel begins.
    """
    shown = [each for passage in transcript.passages for each in _of_passage(passage)]
    next_start: dict[int | None, float] = {}
    longer = []
    for each in sorted(shown, key=lambda subtitle: subtitle.start, reverse=True):
        room = next_start.get(each.channel, transcript.duration)
        longer.append(replace(each, end=max(each.end, min(each.start + SHORTEST, room))))
        next_start[each.channel] = each.start
    return longer[::-1]


def _of_passage(passage: Passage) -> Iterator[Subtitle]:
    if not passage.text:
        return
    if any(word.start is None for word in passage.words) or not passage.words:
        yield Subtitle(passage.start, passage.end, _lines(passage.text), passage.channel)
        return
    group: list[Word] = []
    for word in passage.words:
        if group and not _belongs(group, word):
            yield _subtitle(group, passage.channel)
            group = []
        group.append(word)
    yield _subtitle(group, passage.channel)


def _belongs(group: Sequence[Word], word: Word) -> bool:
    begin, last, start, end = group[0].start, group[-1].end, word.start, word.end
    assert begin is not None and last is not None and start is not None and end is not None
    lines = _lines(" ".join(each.text for each in (*group, word)))
    return start - last <= PAUSE and end - begin <= LONGEST and len(lines) <= LINES


def _subtitle(group: Sequence[Word], channel: int | None) -> Subtitle:
    start, end = group[0].start, group[-1].end
    assert start is not None and end is not None
    return Subtitle(start, end, _lines(" ".join(word.text for word in group)), channel)


def _lines(text: str) -> list[str]:
    """A text in as few lines as it needs, about equally long."""
    needed = textwrap.wrap(text, LINE, break_on_hyphens=False)
    for width in range(len(text) // len(needed), LINE):
        balanced = textwrap.wrap(text, max(1, width), break_on_hyphens=False)
        if len(balanced) == len(needed):
            return balanced
    return needed


def _time(seconds: float, point: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
