"""The manifest: one row an utterance, a polars table; on disk Parquet, CSV, TSV or JSON lines.

In memory ``path`` is absolute and names the segment, where an utterance is a part of its recording,
so that a manifest needs nothing beside it; on disk it is relative to the folder of the manifest, so
that a corpus can be moved, and the columns ``start``, ``end`` and ``channel`` name the segment.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from polars import selectors

from kaskad.audio.segments import name_segments
from kaskad.corpora.columns import COUNTS, SECONDS, WORDS, by_our_names, doubles
from kaskad.corpora.embedded_audio import audio_column, unpack_audio
from kaskad.corpora.faulty_rows import refuse_rows
from kaskad.corpora.paths import on_disk, resolve_paths, tell_once, warn_of_repeats
from kaskad.corpora.table_files import read_table_file, write_table
from kaskad.corpora.text_files import ManifestError
from kaskad.text.numerals import LIMIT, number_to_words

SHOWN_COLUMNS, SHOWN_NAME = 30, 60
SIDES = {"left": 0, "right": 1, "l": 0, "r": 1, "a": 0, "b": 1}


def read_manifest(
    path: Path,
    *,
    language: str | None = None,
    audio_root: Path | None = None,
    unpacked: Path | None = None,
) -> pl.DataFrame:
    """Read a manifest: columns ``path`` and ``text`` (or ``number``, read out in ``language``).

    Columns may have the names of ``columns.SYNONYMS``. Optional columns (``id``, ``duration`` in
    seconds, ``speaker``, ``gender``, ``language``) and any other are kept; a missing ``id`` becomes
    the relative path, an empty word becomes null. ``start`` and ``end`` (or ``offset`` and
    ``duration``, as in NeMo) are the seconds of a recording that an utterance is, ``channel`` the
    side of it, from 0 or as left and right.

    Args:
        path: of the table.
        language: of all rows, as in ISO 639-1, where the table does not say it.
        audio_root: the folder in which all audio must lie (None: paths start from that of the
            manifest, and only absolute ones lead out of it).
        unpacked: a folder for audio that lies inside a Parquet table, where it is written as files.

    Raises ``ManifestError`` on a missing or ambiguous column, a missing path or one outside the
    folder, a number that is none, or ids that repeat.
    """
    path = Path(path)
    if column := audio_column(path):
        path = unpack_audio(path, column, unpacked)
        audio_root = path.parent
    table = read_table_file(path)
    table = _tell_of_doubles(by_our_names(table, path), path)
    if "text" not in table.columns and "number" in table.columns:
        table = _read_out_numbers(table, path, language)
    for column in ("path", "text"):
        if column not in table.columns:
            raise ManifestError(
                f"{path}: there is no column '{column}', only {_shown(table.columns)}; "
                "a manifest has 'path' and 'text' (or 'number'): rename or add the column"
            )
    if language is not None and "language" not in table.columns:
        table = table.with_columns(language=pl.lit(language))
    table = _as_words(table, path)
    is_missing, fault = pl.col("path").is_null(), "the path is missing"
    refuse_rows(table, path, is_missing, "path", fault=fault, remedy="add it", named_by="text")
    table = with_segments(table, path)
    own = ["id"] if "id" in table.columns else []
    table = table.with_columns(id=pl.coalesce(*own, "path"))
    refuse_repeated_ids(table, path)
    # A link to a manifest leaves the audio beside what it leads to.
    beside = path.resolve() if path.is_symlink() else path
    table = resolve_paths(table, path, beside.parent, audio_root)
    warn_of_repeats(table, path)
    return table


def write_manifest(table: pl.DataFrame, path: Path) -> None:
    """Write a manifest with its paths relative to the folder of ``path`` (or absolute outside).

    Raises ``ManifestError`` on what ``read_manifest`` would refuse: ids that repeat.
    """
    if "id" in table.columns:
        refuse_repeated_ids(table, path, is_read=False)
    has_segments = not {"start", "end", "channel"}.isdisjoint(table.columns)
    written = on_disk(pl.col("path"), path.parent, has_segments=has_segments)
    write_table(table.with_columns(path=written), path)


def with_segments(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Let paths name segments where columns do; ``start``, ``end`` and ``channel`` are numbers.

    Raises ``ManifestError`` where they are none.
    """
    segments = [name for name in ("start", "end", "offset", "channel") if name in table.columns]
    if "duration" in table.columns:
        table = table.with_columns(
            duration=_seconds(table, "duration", path, strict="offset" in segments)
        )
    if not segments:
        return table
    for name in set(SECONDS) & set(segments):
        table = table.with_columns(_seconds(table, name, path, strict=True).alias(name))
    for name in set(COUNTS) & set(segments):
        table = table.with_columns(_channel(table, name, path).alias(name))
    if "offset" in segments:
        length = pl.col("duration") if "duration" in table.columns else pl.lit(None, pl.Float64)
        ends = (pl.col("offset") + length).round(6)
        table = table.with_columns(start="offset", end=ends).drop("offset")
    nothing = pl.lit(None, pl.Float64)
    start, end, channel = (
        pl.col(name) if name in table.columns else nothing for name in ("start", "end", "channel")
    )
    return table.with_columns(path=name_segments(pl.col("path"), start, end, channel))


def _seconds(table: pl.DataFrame, name: str, path: Path, *, strict: bool) -> pl.Series:
    """A column as seconds: 12.5, 12,5 (as spreadsheets have it in some languages), 1:02:03.5."""
    if table[name].dtype.is_integer():
        return table[name].cast(pl.Float64)
    if table[name].dtype == pl.Duration:
        return table[name].dt.total_microseconds() / 1e6
    if table[name].dtype == pl.Time:
        return table[name].cast(pl.Int64) / 1e9
    written = table[name].cast(pl.String).str.strip_chars().replace("", None)
    parts = written.str.replace(",", ".", literal=True).str.split(":")
    by_unit = parts.list.reverse().list.eval(pl.element().cast(pl.Float64, strict=False))
    units = pl.DataFrame({"parts": by_unit}).select(
        # A fourth part is one of frames or hundredths, and nobody says which.
        pl.when(
            pl.col("parts").list.eval(pl.element().is_null()).list.any()
            | (pl.col("parts").list.len() > 3)
        )
        .then(None)
        .otherwise(
            pl.col("parts").list.get(0, null_on_oob=True)
            + 60 * pl.col("parts").list.get(1, null_on_oob=True).fill_null(0)
            + 3600 * pl.col("parts").list.get(2, null_on_oob=True).fill_null(0)
        )
    )
    seconds = units.to_series().cast(pl.Float64)
    seconds = units.select(pl.when(seconds.is_finite()).then(seconds)).to_series()
    if strict:
        wrong = pl.lit(written.is_not_null() & seconds.is_null())
        fault, remedy = f"'{name}' is no number of seconds", "write it as 12.5"
        refuse_rows(table, path, wrong, name, fault=fault, remedy=remedy)
    return seconds.alias(name)


def _channel(table: pl.DataFrame, name: str, path: Path) -> pl.Series:
    written = table[name].cast(pl.String).str.strip_chars().str.to_lowercase().replace("", None)
    named = written.replace({side: str(number) for side, number in SIDES.items()})
    channel = named.cast(pl.Float64, strict=False)
    sound = (channel >= 0) & (channel == channel.floor())
    wrong = pl.lit(written.is_not_null() & ~sound.fill_null(False))
    fault, remedy = f"'{name}' is no channel", "write 0 for the first or left, 1 for the second"
    refuse_rows(table, path, wrong, name, fault=fault, remedy=remedy)
    return channel.cast(pl.Int64)


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(name[:SHOWN_NAME] for name in columns[:SHOWN_COLUMNS]) or "an empty table"


def _tell_of_doubles(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Say so where another column could be the transcript, too."""
    if "text" in table.columns and (others := doubles(table.columns, "text", "text")):
        named = " and ".join(f"'{name}'" for name in others)
        tell_once(f"{path}: the transcripts are those of the column 'text'; {named} is not read")
    return table


def _as_words(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Columns of words as text, of which an empty one is null."""
    for name in WORDS:
        if name in table.columns and table[name].dtype.is_nested():
            remedy = (
                "write the recordings as files, and their names here"
                if name == "path"
                else f"join its words, such as jq -c '.{name} |= join(\" \")'"
            )
            kind = "a list" if isinstance(table[name].dtype, pl.List | pl.Array) else "a record"
            raise ManifestError(
                f"{path}: in the column '{name}' each row has {kind}, not a text "
                f"(row 1: {str(table[name].head(1).to_list())[1:-1][:SHOWN_NAME]}); {remedy}"
            )
    words = selectors.by_name(*WORDS, require_all=False)
    try:
        table = table.with_columns(words.cast(pl.String))
    except pl.exceptions.PolarsError as error:  # bytes that are no text, times
        reason = str(error).partition("\n")[0]
        kinds = {name: str(table[name].dtype) for name in WORDS if name in table.columns}
        raise ManifestError(
            f"{path}: what should be text is none ({kinds}): {reason}; write it as text in UTF-8"
        ) from error
    table = table.with_columns(pl.col("path").str.strip_chars())
    return table.with_columns(selectors.string().replace("", None))


def _read_out_numbers(table: pl.DataFrame, path: Path, language: str | None) -> pl.DataFrame:
    if language is None:
        raise ManifestError(
            f"{path}: has numbers but no text; say in which language they are spoken (language=ru)"
        )
    written = pl.col("number").cast(pl.String).str.strip_chars()
    value = written.cast(pl.Float64, strict=False)  # exact below 2**53, and so below LIMIT
    sound = value.is_between(0, LIMIT - 1) & (value == value.floor())
    wrong = (written != "") & ~sound.fill_null(False)
    fault = f"the number is not a whole one from 0 to {LIMIT - 1}"
    remedy = "correct it, or leave it empty: such an utterance is set aside"
    refuse_rows(table, path, wrong, "number", fault=fault, remedy=remedy)
    numbers = table.select(value.cast(pl.Int64)).to_series()
    try:
        spoken = {n: number_to_words(n, language) for n in numbers.unique().drop_nulls()}
    except ValueError as error:
        raise ManifestError(f"{path}: its numbers cannot be read out: {error}") from error
    return table.with_columns(
        number=numbers, text=numbers.replace_strict(spoken, default=None, return_dtype=pl.String)
    )


def refuse_repeated_ids(table: pl.DataFrame, path: Path, *, is_read: bool = True) -> None:
    """Raise ``ManifestError`` where two rows have one id; ``is_read`` as in ``refuse_rows``."""
    if table["id"].hash().n_unique() < table.height:  # at a fraction of the memory of the rows
        repeated = pl.col("id").is_duplicated()
        remedy = (
            "every utterance needs its own: where it is the path, remove the rows that repeat, or "
            "add a column id, or start and end"
        )
        fault = "the id is not unique"
        refuse_rows(table, path, repeated, "id", fault=fault, remedy=remedy, is_read=is_read)
