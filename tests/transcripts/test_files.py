"""Transcripts become files that other programs read: subtitles, CTM, TextGrid, JSON, text."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from kaskad.decoding.hypothesis import Hypothesis, Word, moved
from kaskad.transcripts.files import write_transcripts
from kaskad.transcripts.subtitles import subtitles
from kaskad.transcripts.timings import NoTimesError
from kaskad.transcripts.transcript import Passage, Transcript, without_unsure


def passage(text: str, start: float, seconds: float = 0.4, channel: int | None = None) -> Passage:
    """Words that last so many seconds, without a pause."""
    words = [
        Word(word, start + n * seconds, start + (n + 1) * seconds, 0.9)
        for n, word in enumerate(text.split())
    ]
    end = words[-1].end if words and words[-1].end else start
    return Passage(start, end, Hypothesis(text, -1.0, words), channel)


CALL = Transcript(
    "call", 3700.0, [passage("два слова", 0.5), passage('он сказал "да" & нет', 3600.0)]
)
SIDES = Transcript(
    "call",
    10.0,
    [passage("алло", 1.0, channel=0), passage("да", 2.0, channel=1)],
    channels=(0, 1),
)


def written(tmp_path: Path, name: str, *transcripts: Transcript) -> str:
    [file] = write_transcripts(transcripts, tmp_path / name)
    return file.read_text(encoding="utf-8")


def test_subrip(tmp_path: Path) -> None:
    assert written(tmp_path, "a.srt", CALL) == (
        "1\n00:00:00,500 --> 00:00:01,500\nдва слова\n\n"
        '2\n01:00:00,000 --> 01:00:02,000\nон сказал "да" & нет\n'
    )
    assert "[2] да" in written(tmp_path, "b.srt", SIDES)
    assert written(tmp_path, "c.srt", Transcript("silence", 5.0)) == ""


def test_webvtt(tmp_path: Path) -> None:
    assert written(tmp_path, "a.vtt", CALL).startswith(
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nдва слова\n\n01:00:00.000 --> "
    )
    assert 'он сказал "да" &amp; нет' in written(tmp_path, "a.vtt", CALL)
    assert "<v 2>да" in written(tmp_path, "b.vtt", SIDES)


def test_subtitles_can_be_read() -> None:
    long = Transcript("a", 60.0, [passage("слово " * 60, 0.0, 0.5), passage("да", 40.0, 0.1)])
    shown = subtitles(long)
    assert sum(len(" ".join(each.lines).split()) for each in shown) == 61
    for each, following in pairwise(shown):
        assert len(each.lines) <= 2
        assert max(map(len, each.lines)) <= 42
        assert each.end - each.start <= 7.0
        assert each.end <= following.start
    assert shown[-1].end - shown[-1].start == 1.0  # a tenth of a second could not be read
    lines = shown[0].lines
    assert abs(len(lines[0]) - len(lines[-1])) <= 12


def test_subtitles_break_at_pauses() -> None:
    words = [*passage("раз два", 0.0).words, *passage("три", 2.0).words]
    shown = subtitles(Transcript("a", 4.0, [Passage(0.0, 3.0, Hypothesis("", 0.0, words))]))
    assert shown == []  # without a text there is nothing to show
    spoken = Hypothesis("раз два три", 0.0, words)
    shown = subtitles(Transcript("a", 4.0, [Passage(0.0, 3.0, spoken)]))
    assert [each.lines for each in shown] == [["раз два"], ["три"]]


def test_ctm_counts_channels_from_one(tmp_path: Path) -> None:
    assert written(tmp_path, "a.ctm", replace(SIDES, name="a call")) == (
        "a_call 1 1.000 0.400 алло 0.900\na_call 2 2.000 0.400 да 0.900\n"
    )


def test_textgrid_covers_the_recording(tmp_path: Path) -> None:
    content = written(tmp_path, "a.TextGrid", CALL)
    assert 'text = """да"""' in content
    intervals = re.findall(r"xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text", content)
    assert intervals[0][0] == "0.000"
    assert intervals[-1][1] == "3700.000"
    assert [end for _, end in intervals[:-1]] == [start for start, _ in intervals[1:]]
    assert content.count('name = "words') == 1
    assert written(tmp_path, "b.TextGrid", SIDES).count('name = "words') == 2


def test_json_has_the_whole_transcript(tmp_path: Path) -> None:
    best = replace(CALL.passages[0].hypothesis, alternatives=[Hypothesis("две", -2.0)])
    transcript = replace(CALL, passages=[replace(CALL.passages[0], hypothesis=best)])
    failed = Transcript("torn", 0.0, error="breaks off")
    first, second = json.loads(written(tmp_path, "a.json", transcript, failed))
    assert first["segments"][0]["words"][1] == {
        "text": "слова",
        "start": 0.9,
        "end": 1.3,
        "confidence": 0.9,
    }
    assert first["segments"][0]["alternatives"][0]["text"] == "две"
    assert (second["recording"], second["error"], second["text"]) == ("torn", "breaks off", "")


def test_text_has_a_line_a_segment(tmp_path: Path) -> None:
    silence = Transcript("silence", 5.0, [passage("", 0.0)])
    assert written(tmp_path, "a.txt", CALL, silence) == 'два слова\nон сказал "да" & нет\n\n'


def test_each_recording_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    both = [CALL, replace(SIDES, name="folder/other")]
    with pytest.raises(ValueError, match=r"there are 2; for a file each, write output='.*\*\.srt'"):
        write_transcripts(both, tmp_path / "all.srt")
    files = write_transcripts(both, tmp_path / "*.srt")
    assert [file.name for file in files] == ["call.srt", "folder_other.srt"]


def test_words_without_times_are_not_given_any(tmp_path: Path) -> None:
    spelt = Hypothesis("да нет", -1.0, [Word("да", confidence=0.5), Word("нет", confidence=0.5)])
    transcript = Transcript("a", 5.0, [Passage(1.0, 3.0, spelt)])
    with pytest.raises(NoTimesError, match="'да' has no times"):
        write_transcripts([transcript], tmp_path / "a.ctm")
    assert "00:00:01,000 --> 00:00:03,000\nда нет" in written(tmp_path, "a.srt", transcript)


def test_words_that_are_not_sure_are_left_out() -> None:
    words = [Word("да", 0.0, 0.2, 0.9), Word("ттт", 0.3, 0.4, 0.1), Word("нет")]
    left = without_unsure(Hypothesis("да ттт нет", 0.0, words), 0.5)
    assert (left.text, left.words) == ("да нет", [words[0], words[2]])
    assert without_unsure(left, 0.5) is left


def test_words_are_moved_to_the_times_of_the_recording() -> None:
    hypothesis = moved(Hypothesis("да нет", 0.0, [Word("да", 0.5, 0.7), Word("нет")]), 60.0)
    assert hypothesis.words == [Word("да", 60.5, 60.7), Word("нет")]
