"""Transcribe recordings of any length: transcribe.py checkpoint=… input=in.csv output=out.csv.

Recordings of any length become a table, subtitles, or a file of words with their times, as the
suffix of ``output`` says.
"""

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, ListConfig

from kaskad.audio.folders import audio_in, is_audio, no_audio, why_not_read
from kaskad.audio.voice_activity import Cut, voice_activity
from kaskad.config.messages import ConfigurationError
from kaskad.corpora.columns import COUNTS, SECONDS, by_our_names
from kaskad.corpora.manifest import with_segments
from kaskad.corpora.paths import as_written_here
from kaskad.corpora.table_files import WRITERS, read_table_file, require_writable, write_table
from kaskad.corpora.text_files import ManifestError
from kaskad.evaluation.own_data import language_of
from kaskad.models.corrected import correct_with
from kaskad.models.ensemble import load_ensemble
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.text.numerals import NUMERALS, words_to_number, words_to_numbers
from kaskad.transcripts.files import SUFFIXES, require_fitting, word_record, write_transcripts
from kaskad.transcripts.live import FILES, MICROPHONE, SOURCES, transcribe_live
from kaskad.transcripts.recordings import transcribe_recordings, unique_names
from kaskad.transcripts.transcript import Transcript

log = logging.getLogger(__name__)

STANDARD_INPUT = "-"
WORD = pl.Struct(
    {"text": pl.String, "start": pl.Float64, "end": pl.Float64, "confidence": pl.Float64}
)
# Formats of a table that can hold the words of each row.
WITH_WORDS = (".parquet", ".jsonl")


class UntranscribedError(ValueError):
    """Some recordings could not be transcribed; everything else was written."""


def transcribe(config: DictConfig) -> dict[str, float]:
    """Transcribe ``config.input`` (tables, audio files, folders, or "-" for standard input) into
    ``config.output``.

    Raises ``UntranscribedError`` at the end if a row has an error, so that the exit code says so.
    """
    require_language(config.language)
    if config.channel not in (None, "each") and not isinstance(config.channel, int):
        raise ValueError(f"channel={config.channel}: it is each, a number from 0 on, or null")
    detect = voice_activity(config.voice_activity)
    cut = Cut(config.pause, config.longest_segment)
    if config.source not in SOURCES:
        raise ConfigurationError(f"source={config.source}: it is one of {', '.join(SOURCES)}")
    with ExitStack() as stack:
        if config.source == MICROPHONE:
            table, names, paths = pl.DataFrame({"path": [MICROPHONE]}), [MICROPHONE], [""]
        else:
            table, names, paths = read_inputs(config.input, stack)
        output = None if config.output is None else Path(config.output)
        if output is not None:
            require_output(output, table)
        recogniser, trained = _load(config, "checkpoint", "text")
        if config.corrector is not None:
            if config.source != FILES:
                raise ConfigurationError(
                    f"corrector and source={config.source}: a corrector reads whole utterances; "
                    "leave it out, or take source=files"
                )
            correct_with(recogniser, config.corrector, language_of(trained, config.checkpoint))
        models = [recogniser]
        if config.gender_checkpoint is not None:
            models.append(_load(config, "gender_checkpoint", "gender")[0])

        def run(model: Recogniser) -> list[Transcript]:
            if config.source != FILES:
                named = zip(paths, unique_names(names), strict=True)
                return [
                    transcribe_live(model, config.source, *each, config.endpoint) for each in named
                ]
            return transcribe_recordings(
                model,
                paths,
                unique_names(names),
                detect=detect,
                cut=cut,
                channel=config.channel,
                least_confidence=config.least_confidence,
                batch_seconds=config.batch_seconds,
                workers=config.workers,
            )

        transcripts, *genders = map(run, models)
    language = config.language or language_of(trained, config.checkpoint)
    if output is not None and output.suffix.lower() in SUFFIXES:
        files = write_transcripts(transcripts, output)
        log.info(
            "wrote %d recordings to %s", len(transcripts), ", ".join(map(str, files)) or "no file"
        )
    rows = as_table(
        table, transcripts, language, with_words=output and output.suffix.lower() in WITH_WORDS
    )
    if genders:
        found = [_gender(each, channel) for each in genders[0] for channel in each.channels]
        rows = rows.with_columns(pl.Series("gender", found, pl.String))
    if output is None and config.source == FILES:
        shown = [name for name, each in zip(names, transcripts, strict=True) for _ in each.channels]
        show(shown, rows, speakers=bool(genders))
    elif output is not None and output.suffix.lower() in WRITERS:
        write_table(rows, output)
        log.info("wrote %d rows to %s", rows.height, output)
    failed = rows.filter(pl.col("error").is_not_null())
    if failed.height:
        raise UntranscribedError(
            f"{failed.height} of {rows.height} recordings could not be transcribed; the column "
            f"'error' says why, first: {failed['error'][0]}"
        )
    return {"transcribed": len(transcripts)}


def require_language(language: str | None) -> None:
    """Raise ``ValueError`` for a language whose numerals are not known."""
    if language is not None and language not in NUMERALS:
        raise ValueError(
            f"language={language}: no numerals of this language are known, which it is for; "
            f"it is one of {', '.join(NUMERALS)}, or null: that of the checkpoint"
        )


def require_output(output: Path, table: pl.DataFrame) -> None:
    """Raise ``ValueError`` where the output cannot be written, before hours of work."""
    if output.suffix.lower() in SUFFIXES:
        require_fitting(output, table.height)
    elif output.suffix.lower() in WRITERS:
        require_writable(output, table)
    else:
        known = ", ".join((*WRITERS, *SUFFIXES))
        raise ManifestError(f"{output}: unknown kind of output '{output.suffix}'; known: {known}")


def read_inputs(given: Any, stack: ExitStack) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Return the rows of all inputs, what their recordings are called, and the paths of these."""
    if given is None:
        raise ConfigurationError(
            "no value yet for input\ngive it on the command line: input=a.wav, input=in.csv"
        )
    tables, names, paths = [], [], []
    inputs = list(given) if isinstance(given, ListConfig | list) else [given]
    for each in inputs:
        if str(each) == STANDARD_INPUT:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "standard input")
            path.write_bytes(sys.stdin.buffer.read())
            table, found, root = pl.DataFrame({"path": [path.name]}), [path.name], path.parent
        else:
            table, found, root = read_input(Path(str(each)))
        tables.append(table)
        names += found
        paths += [str(root / name) if name else "" for name in found]
    together = pl.concat(tables, how="diagonal_relaxed")
    # Transcripts are kept; what has a column error was written here.
    if "text" in together.columns and not {"reference", "error"} & {*together.columns}:
        log.info("the column 'text' is kept as 'reference'")
        together = together.rename({"text": "reference"})
    return together, names, paths


def read_input(path: Path) -> tuple[pl.DataFrame, list[str], Path]:
    """Return the table, the path in each of its rows ("" where none is), and where paths begin.

    A path names the segment where the columns start and end, offset and duration or channel do.
    """
    if path.is_dir():
        files = audio_in(path)
        if not files:
            raise FileNotFoundError(no_audio(path))
        names = [str(file.relative_to(path)) for file in files]
        return pl.DataFrame({"path": names}), names, path
    if kind := why_not_read(path):
        raise ManifestError(f"{path}: {kind}")
    if is_audio(path):
        return pl.DataFrame({"path": [path.name]}), [path.name], path.parent
    table = read_table_file(path)
    named = by_our_names(table, path, ("path", *SECONDS, *COUNTS))
    if "path" not in named.columns:
        raise ManifestError(
            f"{path}: there is no column 'path', only {', '.join(table.columns)}; "
            "add one that says where each recording lies"
        )
    named = with_segments(named.with_columns(pl.col("path").cast(pl.String)), path)
    written = as_written_here(named["path"].fill_null(""), path, path.parent)
    return table, written.to_list(), path.parent


def as_table(
    table: pl.DataFrame,
    transcripts: Sequence[Transcript],
    language: str,
    *,
    with_words: Any = False,
) -> pl.DataFrame:
    """The rows of a table with what was transcribed: a row a recording, or a channel of it."""
    sides = [
        (row, transcript.of_channel(channel))
        for row, transcript in enumerate(transcripts)
        for channel in transcript.channels
    ]
    table = table[[row for row, _ in sides]]
    texts = [side.text if side.error is None else None for _, side in sides]
    text = pl.Series("text", texts, pl.String)
    if any(side.uncorrected is not None for _, side in sides):
        before = [side.uncorrected for _, side in sides]
        table = table.with_columns(pl.Series("uncorrected", before, pl.String))
    channels = [side.channels[0] for _, side in sides]
    if any(channel is not None for channel in channels):
        table = table.with_columns(pl.Series("channel", channels, pl.Int64))
    table = table.with_columns(
        text,
        pl.Series("confidence", [side.confidence for _, side in sides], pl.Float64).round(4),
        *numbers_in(text, language),
        pl.Series("error", [side.error for _, side in sides], pl.String),
    )
    if with_words:
        words = [list(map(word_record, side.words)) for _, side in sides]
        table = table.with_columns(pl.Series("words", words, pl.List(WORD)))
    return table


def numbers_in(texts: pl.Series, language: str) -> list[pl.Series]:
    """``number``, where the whole text is one, and ``numbers``, all that were found, with blanks
    between them; as strings, so that 007 stays 007."""
    known = [text if language in NUMERALS else None for text in texts]
    whole = [words_to_number(text, language) if text else None for text in known]
    found = [" ".join(words_to_numbers(text, language)) if text else None for text in known]
    return [pl.Series("number", whole, pl.String), pl.Series("numbers", found, pl.String)]


def show(names: Sequence[str], rows: pl.DataFrame, speakers: bool) -> None:
    """Print what was transcribed, a line a row."""
    for name, row in zip(names, rows.iter_rows(named=True), strict=True):
        side = f" [{row['channel'] + 1}]" if row.get("channel") is not None else ""
        speaker = f" ({row['gender']})" if speakers else ""
        print(f"{name}{side}{speaker}: {row['error'] or row['text']}")


def _gender(transcript: Transcript, channel: int | None) -> str | None:
    """What most of the passages of a channel were taken for."""
    passages = transcript.of_channel(channel).passages
    found = Counter(passage.text for passage in passages).most_common(1)
    return found[0][0] if found else None


def _load(config: DictConfig, option: str, target: str) -> tuple[Recogniser, dict[str, Any]]:
    """Load the checkpoint that ``option`` names, which must recognise ``target``."""
    if target == "text":
        recogniser, trained = load_ensemble(
            config[option], config.combine, decoder=config.get("decoder"), trusted=config.trusted
        )
    else:
        recogniser, trained = load_recogniser(config[option], trusted=config.trusted)
    if recogniser.target != target:
        raise CheckpointError(
            f"{option}={config[option]} recognises {recogniser.target}, not {target}: "
            "checkpoint is for a model of speech, gender_checkpoint for model=gender_cnn"
        )
    return recogniser.to(config.device), trained
