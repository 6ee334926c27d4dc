"""A synthetic corpus in the layout of Toloka's, so that ``data=toloka`` runs where there is none.

espeak-ng says numbers, and simulated workers transcribe them, each with a care of their
own; one writes nonsense.
"""

import csv
import os
import random
import string
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kaskad.corpora.crowd.answers import COLUMNS
from kaskad.corpora.numbers import make_numbers

UTTERANCES = MappingProxyType({"train": 1200, "test": 200})
"""How many recordings each folder has unless told otherwise."""
LARGEST = 999_999
ANSWERS = 5
# What share of the words a worker gets wrong.
WORKERS = {f"worker-{n + 1:02}": rate for n, rate in enumerate([0.01, 0.02, 0.04, 0.08] * 3)}
NONSENSE = "worker-13"
# Share of tasks with a known answer; in test all have one, so its figures are against the truth.
GOLDEN = {"train": 0.05, "test": 1.0}
# Raise it when the same parameters begin to give other answers.
_RECIPE = 1


def make_stand_in(root: Path, language: str, utterances: Mapping[str, int] | None = None) -> Path:
    """Return the folder of the stand-in, with train and test in it; the first call makes it.

    The same language and ``utterances`` give the same bytes on any machine. Raises what
    ``synthesise`` raises; nothing half-made stays behind.
    """
    counts = dict(utterances or UTTERANCES)
    engine = metadata.version("espeakng-loader")
    size = "-".join(str(counts[part]) for part in GOLDEN)
    corpus = root / f"{language}-{size}-espeakng-{engine}-{_RECIPE}"
    if not corpus.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{corpus.name}-") as beside:
            for part in GOLDEN:
                spoken = make_numbers(
                    Path(beside, "speech"),
                    part,
                    language=language,
                    utterances={part: counts[part] for part in GOLDEN},
                    largest=LARGEST,
                )
                _fill(Path(beside, "corpus", part), spoken, GOLDEN[part])
            try:
                Path(beside, "corpus").rename(corpus)
            except OSError:
                if not corpus.is_dir():  # unless another process was faster; its bytes are the same
                    raise
    return corpus


def _fill(folder: Path, spoken: pl.DataFrame, golden: float) -> None:
    """Move the recordings into ``folder`` and write down what the workers answer."""
    (folder / "audio").mkdir(parents=True)
    vocabulary = sorted({word for text in spoken["text"] for word in text.split()})
    header = [*COLUMNS.values(), "INPUT:speaker"]
    with (folder / "assignments.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(header)
        for path, text, speaker in spoken.select("path", "text", "speaker").iter_rows():
            audio = f"audio/{Path(path).name}"
            os.replace(path, folder / audio)
            draw = random.Random(f"{folder.name} {audio}")
            known = text if draw.random() < golden else ""
            for worker in draw.sample([*WORKERS, NONSENSE], ANSWERS):
                answer = _answer(text.split(), worker, vocabulary, draw)
                table.writerow([audio, answer, worker, known, speaker])


def _answer(words: Sequence[str], worker: str, vocabulary: list[str], draw: random.Random) -> str:
    """What the worker types: some in sentences with a full stop, and now and then a line more."""
    if worker == NONSENSE:
        return "".join(draw.choices(string.ascii_lowercase + " ", k=draw.randint(5, 30))).strip()
    misheard = [_mishear(word, vocabulary, draw) for word in words]
    right = [draw.random() >= WORKERS[worker] for _ in words]
    typed = " ".join(
        word if is_right else other
        for word, other, is_right in zip(words, misheard, right, strict=True)
    )
    if draw.random() < 0.3:
        typed = f"{typed.strip().capitalize()}."
    return typed + "\n" * (draw.random() < 0.03)


def _mishear(word: str, vocabulary: list[str], draw: random.Random) -> str:
    """Another word, the word without a letter, or nothing."""
    letter = draw.randrange(len(word))
    return draw.choice([draw.choice(vocabulary), word[:letter] + word[letter + 1 :], ""])
