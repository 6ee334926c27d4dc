"""Whole recordings transcribed: cut where nobody speaks, transcribed and put together again."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import polars as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.data import DataLoader

from kaskad.audio.files import AudioError
from kaskad.audio.headers import inspect
from kaskad.audio.segments import Segment
from kaskad.audio.voice_activity import Cut, VoiceActivity, speech
from kaskad.data.batch import Skipped, Utterance
from kaskad.data.dataset import SpeechDataset
from kaskad.data.samplers.length import SortedByLength
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.decoding.hypothesis import Hypothesis, moved
from kaskad.models.recogniser import Recogniser
from kaskad.transcripts.transcript import Passage, Transcript, without_unsure

log = logging.getLogger(__name__)

Channel = int | Literal["each"] | None


@dataclass
class _Plan:
    """The parts of recordings that are to be transcribed, and what is wrong with the others."""

    recordings: list[int] = field(default_factory=list)
    parts: list[Segment] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)  # of the recording, in its file
    durations: list[float] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    channels: dict[int, tuple[int | None, ...]] = field(default_factory=dict)

    def add(self, recording: int, part: Segment, begins: float, duration: float) -> None:
        self.recordings.append(recording)
        self.parts.append(part)
        self.begins.append(begins)
        self.durations.append(duration)


def transcribe_recordings(
    recogniser: Recogniser,
    paths: Sequence[str],
    names: Sequence[str],
    *,
    detect: VoiceActivity,
    cut: Cut,
    channel: Channel = None,
    least_confidence: float = 0.0,
    batch_seconds: float = 120.0,
    workers: int = 0,
) -> list[Transcript]:
    """Transcribe recordings of any length, in memory that does not depend on it.

    Args:
        recogniser: what transcribes.
        paths: the recordings, or segments of some (see ``audio.segments``); "" has none.
        names: what each is called in the files that are written.
        detect: says where somebody speaks, in recordings longer than ``cut.longest``.
        cut: where these are cut.
        channel: one of the channels, counted from 0, ``each`` of them, or (``None``) their mean.
        least_confidence: words that are less sure are left out.
        batch_seconds: the most seconds of audio in a batch, with padding.
        workers: processes that read audio; 0 for this one.

    Returns a transcript for each path, in their order; what is wrong with a recording is its error.
    """
    headers = inspect(paths)
    for path, doubt in zip(paths, headers["doubt"], strict=True):
        if doubt is not None:
            log.warning("%s: %s; what it holds is transcribed", path, doubt)
    plan = _Plan()
    with progress_of("looking for speech", float(headers["duration"].sum())) as advance:
        rows = headers.select("duration", "channels", "problem").iter_rows()
        for recording, (path, (duration, channels, problem)) in enumerate(
            zip(paths, rows, strict=True)
        ):
            if problem is None:
                try:
                    _cut(plan, recording, path, duration, channels, channel, detect, cut)
                except AudioError as error:
                    plan.errors[recording] = str(error)
                advance(duration)
            else:
                plan.errors[recording] = problem
    with progress_of("transcribing", sum(plan.durations)) as advance:
        found_in = _decode(recogniser, plan, batch_seconds, workers, advance)
    for number, found in found_in.items():
        if isinstance(found, Hypothesis):
            found_in[number] = without_unsure(found, least_confidence)
    return _together(plan, found_in, names, headers["duration"].fill_null(0.0).to_list())


def by_length(
    rows: pl.DataFrame, sample_rate: int, batch_seconds: float, workers: int
) -> Iterator[list[Utterance | Skipped]]:
    """Read the rows of a table (id, path, text, duration) in batches of like length."""
    if rows.height:
        yield from DataLoader(
            SpeechDataset("input", rows, sample_rate),
            batch_sampler=StepBatchSampler(SortedByLength(rows, batch_seconds, max_utterances=64)),
            collate_fn=list,
            num_workers=workers,
        )


def unique_names(paths: Sequence[str]) -> list[str]:
    """What recordings are called in files: their paths without suffix, a number after repeats."""
    counts: Counter[str] = Counter()
    names = []
    for path in paths:
        name = str(Path(path).with_suffix("")) if path else "recording"
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}-{counts[name]}")
    return names


def _cut(
    plan: _Plan,
    recording: int,
    path: str,
    duration: float,
    channels: int,
    channel: Channel,
    detect: VoiceActivity,
    cut: Cut,
) -> None:
    """Add the parts of a recording to the plan; raises ``AudioError`` where it cannot be read."""
    whole = Segment.at(path)
    wanted: tuple[int | None, ...]
    if channel is not None and whole.channel is None:
        wanted = tuple(range(channels)) if channel == "each" else (channel,)
    else:
        wanted = (whole.channel,)
    plan.channels[recording] = wanted
    for side in wanted:
        part = replace(whole, channel=side)
        # Of a call, one side is silent while the other speaks.
        if duration <= cut.longest and channel != "each":
            plan.add(recording, part, whole.start, duration)
            continue
        for start, end in speech(str(part), detect, cut):
            end = min(end, duration)
            of_file = replace(part, start=whole.start + start, end=whole.start + end)
            plan.add(recording, of_file, whole.start, end - start)


def _decode(
    recogniser: Recogniser,
    plan: _Plan,
    batch_seconds: float,
    workers: int,
    advance: Callable[[float], None],
) -> dict[int, Hypothesis | str]:
    """What each part is transcribed as, or why nothing is."""
    rows = pl.DataFrame(
        {"path": list(map(str, plan.parts)), "duration": plan.durations},
        schema={"path": pl.String, "duration": pl.Float64},
    ).with_row_index("id")
    rows = rows.with_columns(pl.col("id").cast(pl.String), text=pl.lit(""))
    found_in: dict[int, Hypothesis | str] = {}
    for items in by_length(rows, recogniser.features.sample_rate, batch_seconds, workers):
        read = [item for item in items if isinstance(item, Utterance)]
        hypotheses = recogniser.decode_waveforms([item.waveform for item in read]) if read else []
        for item, hypothesis in zip(read, hypotheses, strict=True):
            found_in[int(item.id)] = hypothesis
        for each in items:
            if isinstance(each, Skipped):
                found_in[int(each.id)] = each.reason
            advance(plan.durations[int(each.id)])
    return found_in


def _together(
    plan: _Plan,
    found_in: dict[int, Hypothesis | str],
    names: Sequence[str],
    durations: Sequence[float],
) -> list[Transcript]:
    passages: list[list[Passage]] = [[] for _ in names]
    errors = dict(plan.errors)
    for index, passage in _passages(plan, found_in):
        if isinstance(passage, str):
            errors.setdefault(index, passage)
        else:
            passages[index].append(passage)
    return [
        Transcript(
            name,
            duration,
            [] if index in errors else sorted(passages[index], key=lambda each: each.start),
            errors.get(index),
            plan.channels.get(index, (None,)),
        )
        for index, (name, duration) in enumerate(zip(names, durations, strict=True))
    ]


def _passages(
    plan: _Plan, found_in: dict[int, Hypothesis | str]
) -> Iterator[tuple[int, Passage | str]]:
    for number, result in sorted(found_in.items()):
        recording, part = plan.recordings[number], plan.parts[number]
        if isinstance(result, str):
            yield recording, result
        elif result.problem is not None:
            yield recording, result.problem
        else:
            start = round(part.start - plan.begins[number], 3)
            end = round(start + plan.durations[number], 3)
            yield recording, Passage(start, end, moved(result, start), part.channel)


@contextmanager
def progress_of(description: str, seconds: float) -> Iterator[Callable[[float], None]]:
    """Show on the terminal how far so many seconds of audio are, and the time left; call what it
    gives for each part that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=seconds)
        yield lambda done: progress.advance(task, done)
