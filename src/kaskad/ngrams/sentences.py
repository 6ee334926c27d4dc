"""The text of a language model: read, freed of what is to be tested, cut into units."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from kaskad.ngrams.counts import SPECIAL
from kaskad.text.folding import without_stress_marks
from kaskad.text.normalisation import normalise
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

Units = Literal["words", "labels"]
BLANK = "▁"  # stands for a blank that is a unit or part of one, as in SentencePiece
RESERVED = [*SPECIAL, "<UNK>"]
# A model of whose words fewer can be spelt is one of another language, or of other units.
LEAST_SPELT = 0.5
TRAINING = ("text", "train", "train_ext")  # roles to learn from


def read_sentences(path: str | Path, *, normalised: bool = True) -> pl.Series:
    """Read a text file, a sentence a line; gzip is unpacked. Empty lines are left out.

    Raises ``FileNotFoundError``, and ``ValueError`` if the file is not in UTF-8, has no sentence,
    or has words that language models reserve.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such text")
    try:
        lines = pl.read_lines(path, name="text")
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"{path}: not a text in UTF-8 (or gzip of one): {error}") from error
    if normalised:
        lines = lines.with_columns(normalise(pl.col("text")))
    lines = tidy(lines)
    if lines.is_empty():
        raise ValueError(f"{path}: there is no sentence in it")
    return lines["text"]


def tidy(table: pl.DataFrame) -> pl.DataFrame:
    """Part words of the column text by single blanks, and leave out rows that have none.

    Raises ``ValueError`` on words that language models reserve, such as <s>.
    """
    spaced = table.with_columns(pl.col("text").str.replace_all(r"[\s\x00]+", " ").str.strip_chars())
    sentences = spaced.filter(pl.col("text").fill_null("") != "")
    marked = sentences.filter(pl.col("text").str.contains_any(RESERVED))
    if marked.height:
        raise ValueError(
            f"{marked.height} sentences have one of {', '.join(RESERVED)}, which mean something "
            f"else in a language model (the first: {marked['text'][0]!r}); take these out"
        )
    return sentences


def gather(
    transcripts: pl.DataFrame,
    files: Sequence[str],
    held_out: str | None = None,
    *,
    language: str | None = None,
    normalised: bool = True,
) -> pl.DataFrame:
    """Return transcripts (text, language, role) with files beside them, tidy all.

    These have the roles ``text`` and ``held_out``, and the language given, else that of the first
    transcript. Raises what ``read_sentences`` does.
    """
    parts = [tidy(transcripts)]
    spoken = pl.lit(language or parts[0]["language"].first() or "")
    for role, paths in (("text", files), ("held_out", [held_out] if held_out else [])):
        for path in paths:
            lines = read_sentences(path, normalised=normalised).to_frame()
            parts.append(lines.with_columns(language=spoken, role=pl.lit(role)))
    return pl.concat(parts)


def training_text(
    table: pl.DataFrame, remove: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows to learn from, and how many each role of ``remove`` has taken away.

    Taken away is what stands, but for case and punctuation, word for word in such a role. Raises
    ``ValueError`` where nothing is left.
    """
    compared = table.with_columns(compared=normalise(pl.col("text")))
    chosen = compared.filter(pl.col("role").is_in(TRAINING))
    if chosen.is_empty():
        raise ValueError(
            "there is no text: name files (language_model.text=[…]; train.py: datamodule.text=[…]) "
            "or a corpus that trains (data=…)"
        )
    removed: dict[str, int] = {}
    for role in remove:
        known = compared.filter(role=role)["compared"].unique()
        rest = chosen.filter(~pl.col("compared").is_in(known.implode()))
        removed[role] = chosen.height - rest.height
        chosen = rest
    if removed:
        listed = ", ".join(f"{number} as in {role}" for role, number in removed.items())
        log.info("taken out of the text: %s sentences", listed)
    if chosen.is_empty():
        raise ValueError(
            f"no sentence is left: all are also in {' or '.join(remove)} ({listed}). Where the "
            "same sentences come again and again, as with digits, keep them: "
            "language_model.remove=[] (train.py: datamodule.remove=[])"
        )
    return chosen.drop("compared"), removed


def in_units(table: pl.DataFrame, tokenizer: Tokenizer | None, units: Units) -> pl.Series:
    """Return the texts of a table (text, language) as units between single blanks.

    ``tokenizer`` spells them; the units are the words, or the tokenizer's ``labels``. A tokenizer
    that has no labels yet takes them from this text.
    """
    if tokenizer is None:
        return pl.Series(without_stress_marks(table["text"].to_list()), dtype=pl.String)
    texts: list[str] = []
    for (language,), part in table.group_by("language", maintain_order=True):
        texts += tokenizer.spell(part["text"].to_list(), str(language))
    if units == "words":
        return pl.Series(texts, dtype=pl.String)
    if None in tokenizer.state().values():
        tokenizer.fit(texts)
    _report_unknown(texts, tokenizer)
    labels = [label.replace(" ", BLANK) for label in tokenizer.labels]
    cut = [" ".join(labels[index] for index in tokenizer.encode(text)) for text in texts]
    return pl.Series([text for text in cut if text], dtype=pl.String)


def _report_unknown(texts: Sequence[str], tokenizer: Tokenizer) -> None:
    unknown = [found for text in texts if (found := tokenizer.unknown(text))]
    if unknown:
        log.warning(
            "%d of %d sentences have characters without a label, which are left out: %s",
            len(unknown),
            len(texts),
            " ".join(sorted(set().union(*unknown))[:50]),
        )
