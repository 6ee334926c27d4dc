"""Find when each word was spoken: kaskad align checkpoint=… input=in.csv output=x.ctm.

How well each transcript fits the audio stands in a table beside the output, the worst first.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from kaskad.audio.headers import inspect
from kaskad.audio.segments import Segment, whole_recording
from kaskad.corpora.manifest import read_manifest, write_manifest
from kaskad.corpora.table_files import WRITERS, require_writable, write_table
from kaskad.data.batch import Skipped, Utterance
from kaskad.decoding.alignment import Aligner, Alignment, AlignmentError
from kaskad.decoding.hypothesis import Hypothesis, Word
from kaskad.evaluation.own_data import language_of
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.transcripts.files import require_fitting, word_record, write_transcripts
from kaskad.transcripts.recordings import by_length, progress_of, unique_names
from kaskad.transcripts.timings import Tier, textgrid
from kaskad.transcripts.transcript import Passage, Transcript

log = logging.getLogger(__name__)

TIMES = (".ctm", ".textgrid", ".json", ".srt", ".vtt")
SHOWN = 10  # of the worst-fitting utterances
MARGIN = 0.2  # seconds that are kept around the words of a segment


@dataclass
class Aligned:
    """An utterance with its alignment, or with the ``problem`` for which it has none."""

    id: str
    path: str
    text: str
    duration: float
    alignment: Alignment | None = None
    problem: str | None = None


def align(config: DictConfig) -> dict[str, float]:
    """Align the transcripts of ``config.input`` and write them as ``config.output``.

    Beside it goes ….scores.csv: the ``fit`` of each transcript (0 to 1), or its ``problem``, the
    worst first. Returns the median fit, and how many are below ``config.suspicious``.
    """
    output = Path(config.output)
    table = read_manifest(
        Path(config.input),
        language=config.language,
        audio_root=None if config.audio_root is None else Path(config.audio_root),
    )
    _require_output(output, table.height)
    recogniser, trained = load_recogniser(config.checkpoint, trusted=config.trusted)
    if not isinstance(recogniser, CTCRecogniser):
        raise CheckpointError(f"{config.checkpoint}: only a recogniser with CTC can align")
    recogniser.to(config.device).eval()
    language = config.language or language_of(trained, config.checkpoint)
    utterances = align_utterances(
        recogniser, table, language, batch_seconds=config.batch_seconds, workers=config.workers
    )
    _write(output, table, utterances, config.pause, config.words)
    scores = as_scores(utterances)
    write_table(scores, output.with_name(f"{output.stem}.scores.csv"))
    log.info("wrote %s and %s.scores.csv", output, output.stem)
    show(scores, config.suspicious, Console())
    fits = scores["fit"].drop_nulls()
    return {
        "aligned": len(fits),
        "not_aligned": scores.height - len(fits),
        "median_fit": float(np.median(fits)) if len(fits) else 0.0,
        "suspicious": int((fits < config.suspicious).sum()),
    }


@torch.inference_mode()
def align_utterances(
    recogniser: CTCRecogniser,
    table: pl.DataFrame,
    language: str,
    *,
    batch_seconds: float = 120.0,
    workers: int = 0,
) -> list[Aligned]:
    """Align each row of a table (id, path, text; language where there is one), in its order."""
    headers = inspect(table["path"].to_list())
    spoken = table["language"] if "language" in table.columns else pl.Series([language])
    spoken = spoken.fill_null(language)
    texts = table["text"].fill_null("").to_list()
    found = [
        Aligned(id_, path, text, duration or 0.0, problem=problem)
        for id_, path, text, duration, problem in zip(
            table["id"], table["path"], texts, headers["duration"], headers["problem"], strict=True
        )
    ]
    aligner = Aligner(recogniser.tokenizer, recogniser.seconds_per_frame)
    readable = [row for row, utterance in enumerate(found) if utterance.problem is None]
    rows = pl.DataFrame(
        {
            "id": list(map(str, readable)),
            "path": [found[row].path for row in readable],
            "text": [found[row].text for row in readable],
            "duration": [found[row].duration for row in readable],
        }
    )
    sample_rate = recogniser.features.sample_rate
    with progress_of("aligning", sum(found[row].duration for row in readable)) as advance:
        for items in by_length(rows, sample_rate, batch_seconds, workers):
            read = [item for item in items if isinstance(item, Utterance)]
            posteriors = recogniser.posteriors_of([item.waveform for item in read]) if read else []
            for item, log_probs in zip(read, posteriors, strict=True):
                utterance = found[int(item.id)]
                try:
                    spoken_in = spoken[int(item.id) if len(spoken) > 1 else 0]
                    utterance.alignment = aligner(log_probs, utterance.text, spoken_in)
                except AlignmentError as error:
                    utterance.problem = str(error)
            for each in items:
                if isinstance(each, Skipped):
                    found[int(each.id)].problem = each.reason
                advance(found[int(each.id)].duration)
    return found


def as_scores(utterances: Sequence[Aligned]) -> pl.DataFrame:
    """``id``, ``path``, ``text``, ``fit``, ``unspelt``, ``problem`` of each, the worst first."""
    rows = [
        {
            "id": each.id,
            "path": each.path,
            "text": each.text,
            "fit": None if each.alignment is None else round(each.alignment.fit, 4),
            "unspelt": " ".join(each.alignment.unspelt) if each.alignment else "",
            "problem": each.problem,
        }
        for each in utterances
    ]
    schema = dict.fromkeys(("id", "path", "text"), pl.String) | {
        "fit": pl.Float64,
        "unspelt": pl.String,
        "problem": pl.String,
    }
    return pl.DataFrame(rows, schema=schema).sort("fit", nulls_last=False, maintain_order=True)


def as_segments(
    table: pl.DataFrame,
    utterances: Sequence[Aligned],
    pause: float,
    words: Sequence[str] | None = None,
) -> pl.DataFrame:
    """A manifest of what was spoken between pauses (only what is one of ``words``): the rows of
    ``table``, each with ``start`` and ``end`` in its recording, in seconds, and ``text``; ``fit``
    is that of the utterance, ``confidence`` the mean of the words."""
    rows: list[int] = []
    columns: dict[str, list[Any]] = {
        name: [] for name in ("id", "start", "end", "text", "fit", "confidence")
    }
    for row, utterance in enumerate(utterances):
        if utterance.alignment is None:
            continue
        offset = Segment.at(utterance.path).start
        groups = between_pauses(utterance.alignment.words, pause)
        for number, (group, (start, end)) in enumerate(
            zip(groups, _bounds(groups, utterance.duration), strict=True)
        ):
            spoken = " ".join(word.text for word in group)
            if words is not None and spoken not in words:
                continue
            rows.append(row)
            columns["id"].append(f"{utterance.id}-{number}" if number else utterance.id)
            columns["start"].append(round(offset + start, 3))
            columns["end"].append(round(offset + end, 3))
            columns["text"].append(spoken)
            columns["fit"].append(round(utterance.alignment.fit, 4))
            confidence = np.mean([word.confidence or 0.0 for word in group])
            columns["confidence"].append(round(float(confidence), 4))
    segments = table[rows].with_columns(whole_recording(pl.col("path")))
    dropped = [name for name in ("duration", "offset", "number") if name in segments.columns]
    return segments.drop(dropped).with_columns(
        *(pl.Series(name, values) for name, values in columns.items())
    )


def between_pauses(words: Sequence[Word], pause: float) -> list[list[Word]]:
    """Words in groups, each without a pause of so many seconds."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and (word.start or 0.0) - (groups[-1][-1].end or 0.0) < pause:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def show(scores: pl.DataFrame, suspicious: float, console: Console) -> None:
    """Print the transcripts that fit worst."""
    fits = scores["fit"].drop_nulls()
    below = int((fits < suspicious).sum())
    table = Table("fit", "utterance", "transcript", title="transcripts that fit worst")
    for row in scores.head(SHOWN).iter_rows(named=True):
        fit = row["problem"] or f"{row['fit']:.3f}"
        table.add_row(fit, row["id"], row["text"])
    console.print(table)
    lost = scores.height - len(fits)
    others = f", and {lost} cannot be aligned" if lost else ""
    console.print(
        f"{below} of {scores.height} transcripts fit worse than {suspicious}{others}: look at them"
    )


def _bounds(groups: Sequence[Sequence[Word]], duration: float) -> list[tuple[float, float]]:
    """Where each group begins and ends, with ``MARGIN`` around it, or half of what lies between it
    and the next one: labels tell the middle of a word rather than its ends."""
    begins = [group[0].start or 0.0 for group in groups]
    ends = [group[-1].end or 0.0 for group in groups]
    cuts = [(end + begin) / 2 for end, begin in zip(ends, begins[1:], strict=False)]
    earliest, latest = [0.0, *cuts], [*cuts, duration]
    starts = [max(begin - MARGIN, least) for begin, least in zip(begins, earliest, strict=True)]
    stops = [min(end + MARGIN, most) for end, most in zip(ends, latest, strict=True)]
    return list(zip(starts, stops, strict=True))


def _require_output(output: Path, count: int) -> None:
    if output.suffix.lower() in TIMES:
        require_fitting(output, count)
    elif output.suffix.lower() in WRITERS:
        require_writable(output)
    else:
        raise ValueError(
            f"output={output}: alignments are written as {', '.join(TIMES)}, or as a table of "
            f"segments: {', '.join(WRITERS)}"
        )


def _write(
    output: Path,
    table: pl.DataFrame,
    utterances: Sequence[Aligned],
    pause: float,
    words: Sequence[str] | None,
) -> None:
    if output.suffix.lower() in WRITERS:
        segments = as_segments(table, utterances, pause, words)
        if segments.is_empty():
            log.warning("%s has no rows (words=%s)", output, words)
        write_manifest(segments, output)
        return
    named = list(zip(unique_names([each.id for each in utterances]), utterances, strict=True))
    if output.suffix.lower() == ".json":
        records = [_record(name, each) for name, each in named]
        output.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return
    labels = {
        name: [Tier("labels", each.alignment.labels)] for name, each in named if each.alignment
    }
    write_transcripts(
        [_transcript(name, each) for name, each in named],
        output,
        {".textgrid": lambda transcript: textgrid(transcript, labels[transcript.name])},
    )


def _transcript(name: str, utterance: Aligned) -> Transcript:
    if utterance.alignment is None:
        return Transcript(name, utterance.duration, error=utterance.problem)
    words = utterance.alignment.words
    hypothesis = Hypothesis(" ".join(word.text for word in words), 0.0, words)
    return Transcript(name, utterance.duration, [Passage(0.0, utterance.duration, hypothesis)])


def _record(name: str, utterance: Aligned) -> dict[str, Any]:
    found = utterance.alignment
    return {
        "recording": name,
        "duration": round(utterance.duration, 3),
        "text": utterance.text,
        "fit": None if found is None else round(found.fit, 4),
        "problem": utterance.problem,
        "words": [word_record(word) for word in found.words] if found else [],
        "labels": [word_record(label) for label in found.labels] if found else [],
    }
