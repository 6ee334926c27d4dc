"""Put recordings into words: transcribe.py checkpoint=… input=in.csv output=out.csv.

A table of recordings gets columns ``text``, ``number`` and ``error``, and by a second checkpoint
``gender``.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.progress import track
from torch.utils.data import DataLoader

from kaskad.audio.folders import audio_in, is_audio, no_audio, why_not_read
from kaskad.audio.headers import inspect
from kaskad.corpora.columns import COUNTS, SECONDS, by_our_names
from kaskad.corpora.manifest import with_segments
from kaskad.corpora.paths import as_written_here
from kaskad.corpora.table_files import read_table_file, require_writable, write_table
from kaskad.corpora.text_files import ManifestError
from kaskad.data.batch import Skipped, Utterance
from kaskad.data.dataset import SpeechDataset
from kaskad.data.samplers.length import SortedByLength
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.runs.checkpoints import CheckpointError
from kaskad.text.numerals import NUMERALS, words_to_number, words_to_numbers

log = logging.getLogger(__name__)


class UntranscribedError(ValueError):
    """Some recordings could not be transcribed; everything else was written."""


def transcribe(config: DictConfig) -> dict[str, float]:
    """Transcribe ``config.input`` (a table, an audio file or a folder) into ``config.output``.

    Raises ``UntranscribedError`` at the end if a row has an error, so that the exit code says so.
    """
    table, names, root = read_input(Path(config.input))
    paths = [str(root / name) if name else "" for name in names]
    recogniser, trained = _load(config, "checkpoint", "text")
    gender_recogniser = None
    if config.gender_checkpoint is not None:
        gender_recogniser, _ = _load(config, "gender_checkpoint", "gender")
    if config.output is not None:
        require_writable(Path(config.output), table)
    language = config.language or _language(trained)
    listen = partial(
        transcribe_files, paths=paths, batch_seconds=config.batch_seconds, workers=config.workers
    )
    heard = listen(recogniser)
    if "text" in table.columns and "reference" not in table.columns:
        log.info("the column 'text' of %s is kept as 'reference'", config.input)
        table = table.rename({"text": "reference"})
    table = table.with_columns(heard["text"], *numbers_in(heard["text"], language), heard["error"])
    if gender_recogniser is not None:
        table = table.with_columns(gender=listen(gender_recogniser)["text"])
    if config.output is not None:
        write_table(table, Path(config.output))
        log.info("wrote %d rows to %s", table.height, config.output)
    else:
        for name, row in zip(names, table.iter_rows(named=True), strict=True):
            speaker = f" ({row['gender']})" if gender_recogniser is not None else ""
            print(f"{name}{speaker}: {row['error'] or row['text']}")
    failed = table.filter(pl.col("error").is_not_null())
    if failed.height:
        raise UntranscribedError(
            f"{failed.height} of {table.height} recordings could not be transcribed; the column "
            f"'error' says why, first: {failed['error'][0]}"
        )
    return {"transcribed": table.height}


def numbers_in(texts: pl.Series, language: str) -> list[pl.Series]:
    """``number``, where the whole text is one, and ``numbers``, all that were found, with blanks
    between them; as strings, so that 007 stays 007."""
    known = [text if language in NUMERALS else None for text in texts]
    whole = [words_to_number(text, language) if text else None for text in known]
    found = [" ".join(words_to_numbers(text, language)) if text else None for text in known]
    return [pl.Series("number", whole, pl.String), pl.Series("numbers", found, pl.String)]


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
    written = as_written_here(named["path"].fill_null(""), path.parent)
    return table, written.to_list(), path.parent


def transcribe_files(
    recogniser: Recogniser,
    paths: Sequence[str],
    *,
    batch_seconds: float = 120.0,
    workers: int = 0,
) -> pl.DataFrame:
    """Return ``text`` and ``error`` of each path, in their order; one of the two is null."""
    headers = inspect(paths)
    texts: list[str | None] = [None] * len(paths)
    errors: list[str | None] = headers["problem"].to_list()
    rows = pl.DataFrame({"path": paths, "duration": headers["duration"], "problem": errors})
    rows = rows.with_row_index("id").filter(pl.col("problem").is_null())
    rows = rows.with_columns(pl.col("id").cast(pl.String), text=pl.lit(""))
    loader = DataLoader(
        SpeechDataset("input", rows, recogniser.features.sample_rate),
        batch_sampler=StepBatchSampler(SortedByLength(rows, batch_seconds, max_utterances=64)),
        collate_fn=list,
        num_workers=workers,
    )
    for items in track(loader, description="transcribing", transient=True):
        read = [item for item in items if isinstance(item, Utterance)]
        if read:
            hypotheses = recogniser.transcribe([item.waveform for item in read])
            for item, hypothesis in zip(read, hypotheses, strict=True):
                is_heard = hypothesis.problem is None
                texts[int(item.id)] = hypothesis.text if is_heard else None
                errors[int(item.id)] = hypothesis.problem
        for item in items:
            if isinstance(item, Skipped):
                errors[int(item.id)] = item.reason
    return pl.DataFrame(
        {"text": texts, "error": errors}, schema={"text": pl.String, "error": pl.String}
    )


def _load(config: DictConfig, option: str, target: str) -> tuple[Recogniser, dict[str, Any]]:
    """Load the checkpoint that ``option`` names, which must recognise ``target``."""
    decoder = config.get("decoder") if target == "text" else None
    recogniser, trained = load_recogniser(config[option], decoder=decoder, trusted=config.trusted)
    if recogniser.target != target:
        raise CheckpointError(
            f"{option}={config[option]} recognises {recogniser.target}, not {target}: "
            "checkpoint is for a model of speech, gender_checkpoint for model=gender_cnn"
        )
    return recogniser.to(config.device), trained


def _language(trained: Mapping[str, Any]) -> str:
    """The language that a run was for: that of its training corpus, whatever its name."""
    corpora = trained["data"]["corpora"].values()
    return next(corpus["language"] for corpus in corpora if corpus["role"] == "train")
