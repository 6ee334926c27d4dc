"""A corpus transcribed by a crowd: folders of audio and the tables of answers that Toloka exports.

toloka/train/assignments.tsv    INPUT:audio, OUTPUT:transcription, ASSIGNMENT:worker_id, …
toloka/train/audio/0001.wav
toloka/test/…                   the same, or a manifest with path and text beside the audio
"""

import functools
import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import polars as pl

from kaskad.audio.folders import audio_in
from kaskad.corpora.crowd.aggregation import aggregate
from kaskad.corpora.crowd.answers import COLUMNS, SCHEMA, has_answers, read_answers
from kaskad.corpora.crowd.simulated import make_stand_in
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.splits import PARTS
from kaskad.corpora.table import find_manifest
from kaskad.corpora.table_files import READERS, read_table_file, write_table
from kaskad.corpora.text_files import ManifestError

log = logging.getLogger(__name__)

# Without a folder validation: every 10th speaker of train, or recording where they are unknown.
VALIDATION_EVERY = 10
FEWEST_SPEAKERS = 3
LAYOUT = (
    "the folders train and test, each with audio and Toloka's TSV of answers (INPUT:audio, "
    "OUTPUT:transcription, ASSIGNMENT:worker_id), or with a manifest.csv (path, text)"
)
STAND_IN = (
    "SYNTHETIC STAND-IN: no Toloka corpus is in {}, so espeak-ng speaks and simulated workers "
    "write; the figures say nothing of real speech"
)
# Raise it when the same answers begin to give other transcripts.
_RECIPE = 2


def read_toloka(
    root: str | Path,
    split: str,
    *,
    language: str = "ru",
    method: str = "rover",
    min_confidence: float = 0.5,
    min_quality: float = 0.3,
    columns: Mapping[str, str | None] = COLUMNS,
    cache: str | Path = "data/crowd",
    stand_in: bool = True,
    utterances: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Return one split (train, validation, test) of the corpus, one row a recording.

    Answers are aggregated as ``aggregate`` describes. Every recording of the folder has its row:
    one that nobody has transcribed, or whose transcript is less sure than ``min_confidence``, is
    without text, and ``problem`` says why. The corpus is only read; in ``cache``, in a folder that
    the log names, lie ``for_review.tsv`` (those recordings, to be sent back to the crowd),
    ``answers_dropped.csv`` (answers that were not used, and why) and ``workers.csv`` (how good each
    worker is).

    With ``stand_in``, a synthetic corpus of ``utterances`` is made where ``root`` has neither train
    nor test; ``note`` says so in each of its rows.

    Raises ``FileNotFoundError``, saying what was looked for, where the corpus is not, and
    ``ManifestError`` on tables that cannot be read.
    """
    if split not in PARTS:
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(PARTS)}")
    folder, note, cache = Path(root).resolve(), None, Path(cache).resolve()
    if not any((folder / part).is_dir() for part in ("train", "test")):
        wanted = f"To use yours, say where it is with data.root=… (or KASKAD_DATA): it has {LAYOUT}"
        if not stand_in:
            raise FileNotFoundError(f"no Toloka corpus is in {root}. {wanted}")
        note = STAND_IN.format(root)
        _warn_once(f"\n{'=' * 80}\n{note}.\n{wanted}.\n{'=' * 80}")
        folder = make_stand_in(cache / "stand_in", language, utterances)

    is_cut = not (folder / "validation").is_dir()
    source = folder / ("train" if is_cut and split == "validation" else split)
    tables = sorted(path for path in source.glob("*") if path.suffix in READERS)
    exports = [path for path in tables if has_answers(path, columns)]
    if exports:
        if others := [path.name for path in tables if path not in exports]:
            _warn_once(
                f"{source}: {', '.join(others)} is not read, for {exports[0].name} there holds the "
                f"answers of a crowd; transcripts that are known go into its {COLUMNS['golden']}"
            )
        answers = pl.concat([read_answers(path, columns) for path in exports], how="diagonal")
        manifest = _transcribed(answers, source, method, min_quality, min_confidence, cache)
    elif source.is_dir():
        manifest = read_manifest(find_manifest(tables[0] if len(tables) == 1 else source))
    else:
        raise FileNotFoundError(f"{folder} has no folder {source.name}; a corpus has {LAYOUT}")
    manifest = manifest.with_columns(
        id=pl.format("{}/{}", pl.lit(source.name), "id"),
        language=pl.lit(language),
    )
    if note is not None:
        manifest = manifest.with_columns(note=pl.lit(note))
    if is_cut and split != "test":
        is_held_out = _is_held_out(manifest)
        manifest = manifest.filter(is_held_out if split == "validation" else ~is_held_out)
    return manifest


def _transcribed(
    answers: pl.DataFrame,
    folder: Path,
    method: str,
    min_quality: float,
    min_confidence: float,
    cache: Path,
) -> pl.DataFrame:
    """One row for each recording that the answers name, and each that lies in ``folder``."""
    files = audio_in(folder)
    located = _locate(answers["audio"].drop_nulls().unique(), files, folder)
    asked = pl.col("audio").alias("INPUT:audio")
    answers = answers.with_columns(asked, pl.col("audio").replace(located))
    kept, recordings = _aggregated(folder.name, answers, method, min_quality, cache)

    there = {path.relative_to(folder).as_posix() for path in files}
    # The name on a broken line may be anything; without a file it is only listed as dropped.
    named = answers.filter(~pl.col("broken") | pl.col("audio").is_in(there))
    task = named.select(pl.exclude([*SCHEMA.keys() - {"audio"}])).group_by("audio")
    recordings = recordings.join(
        task.agg(pl.all().drop_nulls().first()), on="audio", maintain_order="left"
    )
    untouched = sorted(there - {*recordings["audio"]})
    silence = pl.DataFrame({"audio": untouched}, schema={"audio": pl.String})
    everything = pl.concat([recordings, silence], how="diagonal")
    unsure = "its transcript has confidence {}, less than min_confidence={}"
    manifest = everything.with_columns(
        id="audio",
        path=pl.format("{}/{}", pl.lit(str(folder)), "audio"),
        problem=pl.when(pl.col("answers").is_null())
        .then(pl.lit("nobody has transcribed it"))
        .when(pl.col("text").is_null())
        .then(pl.format("none of its answers can be used; see {}", pl.lit(str(kept))))
        .when(pl.col("confidence") < min_confidence)
        .then(pl.format(unsure, pl.col("confidence").round(2), pl.lit(min_confidence))),
    )
    review = manifest.filter(pl.col("problem").is_not_null())
    write_table(
        review.select(
            pl.coalesce("INPUT:audio", "audio").alias("INPUT:audio"),
            "problem",
            "confidence",
            "text",
        ),
        kept / "for_review.tsv",
    )
    _tell(answers, manifest, review, kept)
    without = pl.when(pl.col("problem").is_null()).then("text")
    return manifest.drop("audio").with_columns(text=without)


def _locate(names: pl.Series, files: list[Path], folder: Path) -> dict[str, str]:
    """Where in ``folder`` each recording lies that a table names by URL, by path or by its end.

    What is not there, or may be another recording's file, keeps its path, without what would lead
    out of the folder.
    """
    by_name = defaultdict(list)
    for file in files:
        by_name[file.name].append(file.relative_to(folder).as_posix())
    claims, located = defaultdict(set), {}
    for name in names:
        given = PurePosixPath(unquote(urlsplit(name).path) if "://" in name else name)
        inside = str(PurePosixPath(*(part for part in given.parts if part not in ("/", ".."))))
        end = given.name if given.is_absolute() else inside
        same = [path for path in by_name[given.name] if f"/{path}".endswith(f"/{end}")]
        found = same[0] if len(same) == 1 and inside not in same else inside
        claims[found].add(inside)
        located[name] = (found, inside)
    return {
        name: found if len(claims[found]) == 1 else inside
        for name, (found, inside) in located.items()
    }


def _aggregated(
    name: str, answers: pl.DataFrame, method: str, min_quality: float, cache: Path
) -> tuple[Path, pl.DataFrame]:
    """Aggregate, or take what was made of the same answers before; returns the folder, too."""
    options = json.dumps([_RECIPE, method, min_quality])
    content = answers.write_csv().encode()
    kept = cache / f"{name}-{sha256(options.encode() + content).hexdigest()[:12]}"
    if not (kept / "recordings.parquet").is_file():
        consensus = aggregate(answers, method=method, min_quality=min_quality)
        write_table(consensus.workers, kept / "workers.csv")
        write_table(consensus.dropped, kept / "answers_dropped.csv")
        write_table(consensus.recordings, kept / "recordings.parquet")
    return kept, read_table_file(kept / "recordings.parquet")


def _is_held_out(manifest: pl.DataFrame) -> pl.Series:
    """Every 10th speaker, and of the recordings whose speaker is unknown every 10th, too."""
    ids = manifest["id"]
    if (
        "speaker" not in manifest.columns
        or manifest["speaker"].drop_nulls().n_unique() < FEWEST_SPEAKERS
    ):
        return ids.is_in(_every_tenth(ids))
    speaker = manifest["speaker"]
    unknown = _every_tenth(ids.filter(speaker.is_null()), VALIDATION_EVERY - 1)
    return speaker.is_in(_every_tenth(speaker)).fill_null(False) | ids.is_in(unknown)


def _every_tenth(names: pl.Series, first: int = 0) -> list[str]:
    ordered = names.drop_nulls().unique().sort()
    return ordered.gather_every(VALIDATION_EVERY, first).to_list()


def _tell(answers: pl.DataFrame, manifest: pl.DataFrame, review: pl.DataFrame, kept: Path) -> None:
    """Say what became of the answers, and name reasons where some did not serve."""
    dropped = read_table_file(kept / "answers_dropped.csv")
    reasons = [*dropped["reason"].unique().sort()[:2], *review["problem"].unique().sort()[:2]]
    workers = answers.filter(~pl.col("broken"))["worker"].n_unique()
    _warn_once(
        f"{manifest.height} recordings have {answers.height} answers of {workers} workers; "
        f"{dropped.height} answers are not used, {review.height} recordings are for review"
        f"{' (' * bool(reasons)}{'; '.join(reasons)}{', …)' * bool(reasons)}: see {kept}"
    )


@functools.cache
def _warn_once(message: str) -> None:
    """Train and validation come from the same folder: each finding is reported once."""
    log.warning(message)
