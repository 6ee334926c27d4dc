"""Pronunciations to learn from: a dictionary, or what espeak-ng says of the words of a text."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import polars as pl

from kaskad.corpora.splits import PARTS, SPLIT_NAMES
from kaskad.corpora.text_files import ManifestError, read_lines
from kaskad.text.phonemes import part, pronounce
from kaskad.text.pronunciations import Entry, fold_word, read_dictionary, without_stress

SCHEMA = dict.fromkeys(("word", "pronunciation", "split", "problem"), pl.String)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CYRILLIC_VOWELS = re.compile("[аеёиоуыэюяіїє]")
_VOWELS = re.compile("[aɐɑæeɛəɜɘɵiɪɨyuʊʉoɔʌ]")


def read_pronunciations(
    path: str | Path,
    *,
    stress: bool = True,
    folds: int = 10,
    fold: int = 0,
    most: int | None = None,
    split: str = "train",
) -> pl.DataFrame:
    """Read the rows of a dictionary that are in ``split``, and those of no use.

    All pronunciations of a word are in the same part: that of a column ``split``, else that of its
    fold, which follows from its letters alone.

    Args:
        path: A dictionary as ``read_dictionary`` takes it.
        stress: Whether stress marks stay: those of IPA, and the digits of CMUdict.
        folds: How many parts of equal size the words are dealt into.
        fold: Which of them is the test; the next is validation, and the others train.
        most: Words to take at most (``None``: all), the same ones for the same file and number.
        split: train, validation, test, or all.

    Returns:
        Columns ``word``, ``pronunciation``, ``split``, and ``problem``: "", or why a row is of no
        use.

    Raises:
        ValueError: For what is no dictionary, and folds that cannot be.
    """
    return _table(read_dictionary(Path(path)), stress, folds, fold, most, split)


def make_pronunciations(
    words: str | Sequence[str],
    *,
    language: str,
    stress: bool = True,
    folds: int = 10,
    fold: int = 0,
    most: int | None = None,
    split: str = "train",
) -> pl.DataFrame:
    """Pronounce the words of text files by espeak-ng; otherwise as ``read_pronunciations``.

    A Cyrillic word that is spoken with more or fewer vowels than it is written with, or partly by
    the rules of another language, was spelt letter by letter: it is of no use. The same files make
    the same table. Raises ``ValueError`` too where espeak-ng has not the language.
    """
    files = [words] if isinstance(words, str) else words
    found = sorted(
        {
            word
            for file in files
            for line in read_lines(Path(file))
            for word in _WORD.findall(fold_word(line))
        }
    )
    if not found:
        raise ManifestError(f"{', '.join(files)}: there is no word in it")
    entries = []
    for line, (word, ipa) in enumerate(
        zip(found, pronounce(found, language, stress=True), strict=True), start=1
    ):
        phones = part([ipa])[0]
        vowels, letters = _VOWELS.findall(ipa), _CYRILLIC_VOWELS.findall(word)
        spelt = re.search("[а-яёіїєґ]", word) and len(vowels) != len(letters)
        problem = "spelt letter by letter" if spelt or ipa == word else ""
        entries.append(Entry(line, word, phones, "", problem))
    return _table(entries, stress, folds, fold, most, split)


def _table(
    entries: Sequence[Entry], stress: bool, folds: int, fold: int, most: int | None, split: str
) -> pl.DataFrame:
    if folds < 3 or not 0 <= fold < folds:
        raise ManifestError(
            f"data.folds={folds}, data.fold={fold}: at least 3 folds, and one of them, from 0"
        )
    if split not in (*PARTS, "all"):
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(PARTS)}, all")
    chosen = None if most is None else _choose(entries, most)
    rows = []
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if chosen is not None and entry.word not in chosen:
            continue
        phones = entry.phones if stress else without_stress(entry.phones)
        if not entry.problem and (entry.word, phones) in seen:
            continue  # the same but for stress
        seen.add((entry.word, phones))
        named = entry.split.strip().lower()
        rows.append(
            (
                entry.word,
                phones,
                SPLIT_NAMES.get(named, named) or _part_of(entry.word, folds, fold),
                entry.problem,
            )
        )
    table = pl.DataFrame(rows, SCHEMA, orient="row")
    return table if split == "all" else table.filter(pl.col("split") == split)


def _choose(entries: Sequence[Entry], most: int) -> set[str]:
    """``most`` words, drawn by their letters: not the first, which all begin alike."""
    counts = Counter(entry.word for entry in entries if not entry.problem)
    return set(sorted(counts, key=lambda word: (_number(f"chosen {word}"), word))[:most])


def _part_of(word: str, folds: int, fold: int) -> str:
    number = _number(word) % folds
    if number == fold:
        return "test"
    return "validation" if number == (fold + 1) % folds else "train"


def _number(text: str) -> int:
    """The same in every process and version, unlike Python's hash."""
    return crc32(text.encode())
