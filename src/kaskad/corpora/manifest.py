"""The manifest: one row an utterance, a polars table; on disk Parquet, CSV, TSV or JSON lines.

In memory ``path`` is absolute, so a manifest needs nothing beside it; on disk it is relative to the
folder of the manifest, so that a corpus can be moved.
"""

import codecs
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from polars import selectors

from kaskad.audio.folders import AUDIO_SUFFIXES
from kaskad.corpora.text_files import ManifestError, read_text, refuse_swallowed_rows
from kaskad.text.numerals import LIMIT, number_to_words

# What other tools call our columns: NeMo, Common Voice.
SYNONYMS = {
    "audio_filepath": "path",
    "sentence": "text",
    "transcript": "text",
    "client_id": "speaker",
    "locale": "language",
}
# Words, even where they look like numbers: speaker 01 is not speaker 1.
WORDS = ("path", "text", "id", "speaker", "split")
SHOWN_ROWS = 5


def read_table(path: Path) -> pl.DataFrame:
    """Read any table of strings and numbers by its suffix; see ``READERS`` for what is known."""
    if path.suffix not in READERS:
        known = ", ".join(READERS)
        raise ManifestError(f"{path}: unknown kind of table '{path.suffix}'; known: {known}")
    if not path.is_file():
        raise ManifestError(f"{path}: there is no such file")
    try:
        return READERS[path.suffix](path)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        if path.suffix != ".parquet":
            read_text(path)  # the encoding may be why, and that has its own message
        reason = str(error).partition("\n")[0]  # what follows is advice to callers of polars
        if 'could not parse `"' in reason:
            reason += "; close the quotation mark that opens there, or remove it"
        raise ManifestError(f"{path}: not a readable {path.suffix} table: {reason}") from error


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table in the format that the suffix of ``path`` names: all of it, or nothing.

    Raises ``ManifestError`` as ``require_writable`` does.
    """
    require_writable(path, table)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as beside:
        WRITERS[path.suffix](table, Path(beside, path.name))
        os.replace(Path(beside, path.name), path)


def require_writable(path: Path, table: pl.DataFrame | None = None) -> None:
    """Make the folder of ``path`` and raise ``ManifestError`` if no table can be written there.

    What is at ``path`` stays untouched: this is for asking before hours of work, not after them.
    With ``table``, also raises if that table does not fit the format.
    """
    if path.suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise ManifestError(f"{path}: unknown kind of table '{path.suffix}'; known: {known}")
    if path.is_dir():
        raise ManifestError(f"{path}: is a folder; name a table in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot be written: {error.strerror}; choose another place"
        ) from error
    if table is not None and path.suffix in UNFIT:
        unfit = table.select(UNFIT[path.suffix]).columns
        if unfit:
            raise ManifestError(
                f"{path}: a {path.suffix} table cannot hold what is in {', '.join(unfit)} (lists, "
                "records or bytes); leave these columns out, or write .parquet"
            )


def find_column(table: pl.DataFrame, name: str, path: Path) -> str | None:
    """Return which column is ``name``, by itself or by a synonym; ``None`` where none is.

    Raises ``ManifestError`` if several synonyms claim to be.
    """
    if name in table.columns:
        return name
    synonyms = [column for column in table.columns if SYNONYMS.get(column) == name]
    if len(synonyms) > 1:
        raise ManifestError(
            f"{path}: {' and '.join(synonyms)} each stand for the column '{name}'; "
            f"rename the one that counts to '{name}'"
        )
    return synonyms[0] if synonyms else None


def read_manifest(
    path: Path, *, language: str | None = None, audio_root: Path | None = None
) -> pl.DataFrame:
    """Read a manifest: columns ``path`` and ``text`` (or ``number``, read out in ``language``).

    Optional columns (``id``, ``duration`` in seconds, ``speaker``, ``gender``, ``language``) and
    any other are kept; a missing ``id`` becomes the relative path, an empty word becomes null.
    Audio must lie inside ``audio_root`` (default: the folder of the manifest).

    Raises ``ManifestError`` on a missing or ambiguous column, a missing path or one outside the
    folder, a number that is none, an utterance that is only a part of its recording (NeMo's
    ``offset``), or ids that repeat.
    """
    path = Path(path)
    table = read_table(path)
    names = dict.fromkeys(SYNONYMS.values())
    table = table.rename({old: new for new in names if (old := find_column(table, new, path))})
    if "text" not in table.columns and "number" in table.columns:
        table = _read_out_numbers(table, path, language)
    for column in ("path", "text"):
        if column not in table.columns:
            raise ManifestError(
                f"{path}: there is no column '{column}', only {', '.join(table.columns)}; "
                "a manifest has 'path' and 'text' (or 'number'): rename or add the column"
            )
    if language is not None and "language" not in table.columns:
        table = table.with_columns(language=pl.lit(language))
    table = table.with_columns(selectors.by_name(*WORDS, require_all=False).cast(pl.String))
    table = table.with_columns(selectors.string().replace("", None))
    own = ["id"] if "id" in table.columns else []
    table = table.with_columns(id=pl.coalesce(*own, "path"))
    _refuse(table, path, pl.col("path").is_null(), "text", "the path is missing", "add it")
    if "offset" in table.columns:
        begins_within = pl.col("offset").cast(pl.Float64, strict=False) > 0
        fault = "the utterance begins within its recording (offset)"
        _refuse(table, path, begins_within, "path", fault, "cut these recordings into files")
    refuse_repeated_ids(table, path)
    # A link to a manifest leaves the audio beside what it leads to.
    beside = path.resolve() if path.is_symlink() else path
    return resolve_paths(table, path, audio_root or beside.parent)


def write_manifest(table: pl.DataFrame, path: Path) -> None:
    """Write a manifest with its paths relative to the folder of ``path`` (or absolute outside).

    Raises ``ManifestError`` on what ``read_manifest`` would refuse: ids that repeat.
    """
    if "id" in table.columns:
        refuse_repeated_ids(table, path)
    folder = f"{path.parent.resolve()}/"
    write_table(table.with_columns(pl.col("path").str.strip_prefix(folder)), path)


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
    _refuse(table, path, wrong, "number", fault, remedy)
    numbers = table.select(value.cast(pl.Int64)).to_series()
    try:
        spoken = {n: number_to_words(n, language) for n in numbers.unique().drop_nulls()}
    except ValueError as error:
        raise ManifestError(f"{path}: its numbers cannot be read out: {error}") from error
    return table.with_columns(
        number=numbers, text=numbers.replace_strict(spoken, default=None, return_dtype=pl.String)
    )


def resolve_paths(table: pl.DataFrame, path: Path, audio_root: Path) -> pl.DataFrame:
    """Make each path absolute; raises ``ManifestError`` for those that lead out of the root.

    Where a link leads to the root, paths may begin with either.
    """
    root, given = audio_root.resolve(), Path(os.path.abspath(audio_root))
    folder = f"{root}/".replace("//", "/")
    beneath = pl.col("path")
    if given.resolve() == root:  # not where the link is followed by ..
        beneath = beneath.str.strip_prefix(f"{given}/")
    absolute = (
        pl.when(beneath.str.starts_with("/")).then(beneath).otherwise(pl.lit(folder) + beneath)
    )
    outside = ~absolute.str.starts_with(folder) | absolute.str.contains(r"(^|/)\.\.(/|$)")
    remedy = "move the audio there, or set audio_root to the folder that holds it"
    _refuse(table, path, outside, "path", f"the path lies outside {root}", remedy)
    return table.with_columns(path=absolute)


def refuse_repeated_ids(table: pl.DataFrame, path: Path) -> None:
    if table["id"].hash().n_unique() < table.height:  # at a fraction of the memory of the rows
        repeated = pl.col("id").is_duplicated()
        remedy = "every utterance needs its own"
        _refuse(table, path, repeated, "id", "the id is not unique", remedy)


def _refuse(
    table: pl.DataFrame, path: Path, wrong: pl.Expr, column: str, fault: str, remedy: str
) -> None:
    """Raise ``ManifestError`` if rows are ``wrong``, naming the first of them by ``column``."""
    rows = table.select(name=column, wrong=wrong).with_row_index("row", offset=1).filter("wrong")
    if rows.height:
        first = rows.sort("name", "row").select("row", "name").head(SHOWN_ROWS).rows()
        named = ", ".join(f"row {row}: {name}" for row, name in first)
        more = ", …" if rows.height > SHOWN_ROWS else ""
        raise ManifestError(
            f"{path}: in {rows.height} of {table.height} rows {fault} ({named}{more}); {remedy}"
        )


def _is_quoted(separator: str, columns: Sequence[str]) -> bool:
    """Common Voice quotes nothing: a quotation mark in its TSV is one of the sentence."""
    return separator != "\t" or "client_id" not in columns


def _read_separated(separator: str) -> Callable[[Path], pl.DataFrame]:
    def read(path: Path) -> pl.DataFrame:
        with path.open(encoding="utf-8-sig") as lines:
            columns = lines.readline().rstrip("\n").split(separator)
        quote = '"' if _is_quoted(separator, columns) else None
        # A column may turn from numbers to words after any number of rows: look at all of them.
        words = dict.fromkeys([*WORDS, *SYNONYMS], pl.String)
        table = pl.read_csv(
            path,
            separator=separator,
            quote_char=quote,
            infer_schema_length=None,
            schema_overrides=words,
        )
        if quote is not None:
            refuse_swallowed_rows(table, path, separator, (*AUDIO_SUFFIXES, ".npy"))
        return table

    return read


def _read_lines_of_json(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        has_mark = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        source = io.BytesIO(file.read()) if has_mark else path
    return pl.read_ndjson(source, infer_schema_length=None)


def _write_separated(separator: str) -> Callable[[pl.DataFrame, Path], None]:
    def write(table: pl.DataFrame, path: Path) -> None:
        quoted = _is_quoted(separator, table.columns)
        table.write_csv(path, separator=separator, quote_style="necessary" if quoted else "never")

    return write


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": pl.read_parquet,
    ".csv": _read_separated(","),
    ".tsv": _read_separated("\t"),
    ".jsonl": _read_lines_of_json,
    ".json": _read_lines_of_json,
}
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda table, path: table.write_parquet(path),
    ".csv": _write_separated(","),
    ".tsv": _write_separated("\t"),
    ".jsonl": lambda table, path: table.write_ndjson(path),
}
# The columns that a format cannot hold.
UNFIT = {
    ".csv": selectors.nested() | selectors.binary(),
    ".tsv": selectors.nested() | selectors.binary(),
    ".jsonl": selectors.binary(),
}
