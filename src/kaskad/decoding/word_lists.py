"""Words that somebody lists for a decoder, as files and people write them."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from kaskad.corpora.text_files import read_text
from kaskad.text.normalisation import normalise
from kaskad.text.tokenizer import Tokenizer

SHOWN = 3  # of the words that a message is about


def read_words(path: Path) -> list[str]:
    """All words of a text file in UTF-8, with or without a byte order mark.

    Raises ``ManifestError``, with file and line, for one in another encoding.
    """
    return read_text(path).split()


def spell_words(words: Iterable[str], tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """Return words as the labels spell them, and those that they cannot spell.

    A word that has a label for each of its characters stays as it is; any other is spelt as
    transcripts are, in lower case and without punctuation.
    """
    spelt, unspelt = [], []
    for word in words:
        spellings = [word] if not tokenizer.unknown(word) else _normalised(word).split()
        if spellings and not any(map(tokenizer.unknown, spellings)):
            spelt += spellings
        else:
            unspelt.append(word)
    return spelt, unspelt


def few(words: Iterable[str]) -> str:
    """The first few of some words, for a message."""
    listed = list(words)
    return ", ".join(map(repr, listed[:SHOWN])) + (", …" if len(listed) > SHOWN else "")


def _normalised(word: str) -> str:
    return str(pl.select(normalise(pl.lit(word))).item())
