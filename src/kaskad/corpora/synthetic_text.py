"""Any text, spoken by many synthetic voices; made on first use."""

import functools
import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from kaskad import espeak
from kaskad.corpora.synthesis import UTTERANCES, Line, Recipe, Source, synthesise
from kaskad.corpora.text_files import ManifestError, read_lines

_RECIPE = 1  # raise when the same parameters begin to give other utterances


@dataclass(frozen=True)
class _Text(Source):
    """The lines of a text file, one an utterance, all equally often and each time in another
    order."""

    languages: ClassVar[Collection[str]] = espeak.languages()

    file: str

    def line(self, draw: random.Random, language: str, index: int) -> Line:
        passage, place = divmod(index, len(_lines(self.file)))
        return Line((_shuffled(self.file, passage)[place],), None)

    def parameters(self) -> dict[str, Any]:
        # What the text says, not where it lies: the same corpus on any machine.
        text = "\n".join(_lines(self.file))
        return {"text": hashlib.sha256(text.encode()).hexdigest()}


@functools.cache
def _lines(file: str) -> list[str]:
    return [line.strip() for line in read_lines(Path(file)) if line.strip()]


@functools.lru_cache(maxsize=2)
def _shuffled(file: str, passage: int) -> list[str]:
    lines = _lines(file)
    return random.Random(passage).sample(lines, len(lines))


def make_synthetic_text(
    root: str | Path,
    split: str,
    *,
    text: str | Path,
    language: str = "ru",
    utterances: Mapping[str, int] = UTTERANCES,
    voices: Mapping[str, Sequence[str]] = MappingProxyType({}),
    seed: int = 0,
    workers: int | None = None,
) -> pl.DataFrame:
    """Return one split of the corpus, as ``synthesise`` does; the first call makes the corpus.

    Args:
        root: where it is kept, in a folder of its own; where the text lies does not matter.
        split: train, validation, test or test_known (the voices of train).
        text: a file, UTF-8, with a word or a sentence a line; every line is spoken equally often.
        language: a code of espeak-ng: ru, en, en-us, uk, …
        utterances: how many each split has; one left out has none.
        voices: voice variants of espeak-ng, such as f3, m1, Andrea, by the split in which they
            speak; a split that is left out has those of ``data=numbers``.
        seed: of the voices' pitch and rate in each utterance.
        workers: processes that share the work (None: one a core).

    Raises:
        ManifestError: If the file has no lines, or is not in UTF-8.
        ValueError: For a split, language, voice or count that cannot be.
        OSError: If there is no such file, or the disk is full; nothing half-made stays behind.
    """
    file = Path(text).absolute()
    if not file.is_file():
        raise FileNotFoundError(f"no text at {file}; say where it is with data.text=…")
    if not _lines(str(file)):
        raise ManifestError(f"{file}: it has no line of text")
    chosen = {part: tuple(names) for part, names in voices.items()}
    recipe = Recipe(_RECIPE, _Text(str(file)), language, dict(utterances), seed, chosen)
    return synthesise(root, split, recipe, workers)
