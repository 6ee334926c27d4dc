"""Corpora of synthetic speech, made on first use: many voices say what a source gives them to say.

Voices differ by espeak-ng's variant (the shape of the vocal tract) and by their own pitch, rate and
liveliness; each phrase strays a little from its voice.
"""

import errno
import functools
import hashlib
import json
import random
import tempfile
import wave
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track

from kaskad import espeak
from kaskad.corpora.voices import Voice, require_variants, voices
from kaskad.storage.tables import read_parquet

UTTERANCES = MappingProxyType({"train": 2000, "validation": 200, "test": 300, "test_known": 300})
"""How many utterances each split has unless told otherwise."""


class Line(NamedTuple):
    """The transcript of one utterance: phrases with pauses between, and the number they make."""

    phrases: tuple[str, ...]
    number: int | None


@dataclass(frozen=True)
class Source(ABC):
    """Gives a corpus its lines. Worker processes get a copy of it: plain values only."""

    languages: ClassVar[Collection[str]]
    """The codes of the languages that it can word its lines in."""

    @abstractmethod
    def line(self, draw: random.Random, language: str, index: int) -> Line:
        """Return the transcript of the utterance ``index`` of a split; all chance in it comes from
        ``draw``."""

    def parameters(self) -> dict[str, Any]:
        """What decides the lines, as JSON can hold it: all fields, unless told otherwise."""
        return asdict(self)


@dataclass(frozen=True)
class Recipe:
    """All that decides what a corpus holds, to the byte.

    ``version`` is raised when the same parameters begin to give other utterances. ``utterances``
    says how many each split has, ``voices`` which of the engine's voice variants speak in a split
    (one that is not named has those of ``voices.VARIANTS``).

    Raises ``ValueError`` for a language, split, voice or count that cannot be.
    """

    version: int
    source: Source
    language: str
    utterances: dict[str, int]
    seed: int
    voices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_variants(self.voices)
        known = sorted(set(self.source.languages) & set(espeak.languages()))
        if self.language not in known:
            raise ValueError(
                f"the text in language {self.language!r} cannot be both spelled and "
                f"spoken; choose one of {', '.join(known)}"
            )
        if unknown := (self.utterances.keys() | self.voices.keys()) - UTTERANCES.keys():
            raise ValueError(
                f"utterances or voices name unknown splits {', '.join(sorted(unknown))}; "
                f"choose among {', '.join(UTTERANCES)}"
            )
        if min(self.utterances.values(), default=0) < 0:
            raise ValueError(f"utterances must not be negative: {self.utterances}")

    def parameters(self) -> dict[str, Any]:
        """The recipe as JSON can hold it."""
        return {
            "recipe": self.version,
            "engine": f"espeakng-loader {metadata.version('espeakng-loader')}",
            "language": self.language,
            "utterances": self.utterances,
            **self.source.parameters(),
            **(
                {"voices": {key: list(names) for key, names in self.voices.items()}}
                if self.voices
                else {}
            ),
            "seed": self.seed,
        }

    def speakers(self, split: str) -> tuple[Voice, ...]:
        """Who speaks in a split."""
        return voices(split, tuple(self.voices.get(split, ())))

    def digest(self) -> str:
        """The name of the corpus: 12 hexadecimal digits."""
        text = json.dumps(self.parameters(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def synthesise(
    root: str | Path, split: str, recipe: Recipe, workers: int | None = None
) -> pl.DataFrame:
    """Return one split of a corpus, one row an utterance; the first call makes the corpus.

    ``train``, ``validation`` and ``test`` have voices of their own, ``test_known`` those of
    ``train``. The corpus is kept in ``root``, in a folder named by the recipe's digest. ``workers``
    are the processes that share the work: all cores unless told, and 1 works in this process.

    Columns: ``id``, ``path`` (absolute; WAV, 16 bit, 22 050 Hz), ``text``, ``number``, ``duration``
    (seconds), ``speaker`` (the voice), ``gender`` (female, male), ``language``.

    Raises ``ValueError`` for a split that the recipe has not, and ``OSError`` with the folder's
    name if the disk is full; nothing half-made stays behind.
    """
    if split not in recipe.utterances:
        raise ValueError(f"no split {split!r}; utterances names {', '.join(recipe.utterances)}")
    corpus = Path(root).resolve() / recipe.digest()
    if not corpus.exists():
        _make(corpus, recipe, workers)
    manifest = read_parquet(corpus / "manifest.parquet").filter(pl.col("split") == split)
    return manifest.drop("split").with_columns(path=pl.lit(f"{corpus}/") + pl.col("path"))


def _make(corpus: Path, recipe: Recipe, workers: int | None) -> None:
    """Make a corpus beside its place and move it there when it is complete."""
    try:
        corpus.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=corpus.parent, prefix=f".{corpus.name}-") as beside:
            folder = Path(beside) / corpus.name
            _fill(folder, recipe, workers)
            folder.rename(corpus)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and corpus.exists():
            return  # another process was faster; its corpus is the same
        if error.errno == errno.ENOSPC:
            total = sum(recipe.utterances.values())
            message = (
                f"the disk of {corpus.parent} is full: {total} utterances take about "
                f"{total * 0.1:.0f} MB; free some or choose another root (nothing was left there)"
            )
            raise OSError(errno.ENOSPC, message) from error
        raise


def _fill(folder: Path, recipe: Recipe, workers: int | None) -> None:
    for split in recipe.utterances:
        (folder / "audio" / split).mkdir(parents=True)
    jobs = [(split, index) for split, count in recipe.utterances.items() for index in range(count)]
    speak = functools.partial(_speak, folder, recipe)
    with ExitStack() as stack:
        spoken: Iterator[dict[str, Any]] = map(speak, jobs)
        if workers != 1:
            pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
            spoken = stack.enter_context(pool).map(speak, jobs, chunksize=4)
        console = Console(stderr=True)
        title = f"Synthesising speech ({recipe.language})"
        rows = list(track(spoken, title, total=len(jobs), console=console))
    pl.DataFrame(rows, schema=_SCHEMA).write_parquet(folder / "manifest.parquet")
    (folder / "corpus.json").write_text(json.dumps(recipe.parameters(), indent=2) + "\n")


_SCHEMA = {
    "id": pl.String,
    "path": pl.String,
    "text": pl.String,
    "number": pl.Int64,
    "duration": pl.Float64,
    "speaker": pl.String,
    "gender": pl.String,
    "language": pl.String,
    "split": pl.String,
}


def _speak(folder: Path, recipe: Recipe, job: tuple[str, int]) -> dict[str, Any]:
    """Synthesise one utterance into its file; all chance in it comes from seed, split and index."""
    split, index = job
    draw = random.Random(f"{recipe.seed} {split} {index}")
    speakers = recipe.speakers(split)
    voice = speakers[index % len(speakers)]
    line = recipe.source.line(draw, recipe.language, index)
    phrases = [_phrase(phrase, recipe.language, voice, draw) for phrase in line.phrases]
    samples = np.concatenate(phrases)

    path = f"audio/{split}/{split}-{index:06d}.wav"
    with wave.open(str(folder / path), "wb") as file:
        file.setparams((1, 2, espeak.SAMPLE_RATE, 0, "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    return {
        "id": f"{split}-{index:06d}",
        "path": path,
        "text": " ".join(line.phrases),
        "number": line.number,
        "duration": len(samples) / espeak.SAMPLE_RATE,
        "speaker": voice.name,
        "gender": voice.gender,
        "language": recipe.language,
        "split": split,
    }


def _phrase(text: str, language: str, voice: Voice, draw: random.Random) -> np.ndarray:
    """Say a phrase, silence around it: int16 samples (samples,). Pauses last 0.1 to 0.6 s."""
    speech = espeak.synthesise(
        text,
        voice=f"{language}+{voice.variant}",
        rate=round(voice.rate * draw.uniform(0.84, 1.18)),  # 122..260 words a minute
        pitch=voice.pitch + draw.randint(-4, 4),
        pitch_range=voice.pitch_range + draw.randint(-8, 8),
        seed=draw.getrandbits(31),
    )
    silence = [round(draw.uniform(0.05, 0.3) * espeak.SAMPLE_RATE) for _ in ("before", "after")]
    return np.pad(speech, silence)
