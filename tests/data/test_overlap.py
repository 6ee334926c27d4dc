"""The overlap check finds what training and judging share, and nothing else."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import soxr

from kaskad import espeak
from kaskad.audio import fingerprints
from kaskad.corpora.table import table
from kaskad.data.checks import DataError
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.overlap import KINDS, OverlapCheck
from kaskad.training import train

RATE = espeak.SAMPLE_RATE
SENTENCES = {
    "train": ["сорок два", "семь тысяч сто", "двенадцать тысяч", "пять миллионов десять"],
    "validation": ["сто девяносто", "тридцать тысяч восемь"],
    "test": ["девятьсот шесть", "шестьдесят три тысячи два", "одиннадцать", "четыреста четыре"],
}
ROLES = {"train": "train", "train_ext": "train", "validation": "validation", "test": "test"}
TRIMMED = round(0.2 * RATE) + 137


def say(text: str, take: int = 0) -> np.ndarray:
    """One voice; another take is a little faster, higher and livelier."""
    said = espeak.synthesise(text, voice="ru", rate=160 + 9 * take, pitch=50 + 3 * take)
    return said.astype(np.float32) / 32_768


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of which no part shares anything with another."""
    folder = tmp_path_factory.mktemp("clean")
    rows = []
    for split, texts in SENTENCES.items():
        for index, text in enumerate(texts):
            soundfile.write(folder / f"{split}-{index}.wav", say(text), RATE)
            rows.append((f"{split}-{index}", f"{split}-{index}.wav", text, split, f"of {split}"))
    columns = ["id", "path", "text", "split", "speaker"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "manifest.csv")
    return folder


@pytest.fixture
def load(clean: Path, tmp_path: Path) -> Callable[..., SpeechDataModule]:
    """Load the clean corpus, with rows planted; audio is given as waveform and name of a file."""

    def load_with(
        *planted: Mapping[str, object], roles: Mapping[str, str] = ROLES, language: str = "ru"
    ) -> SpeechDataModule:
        manifest = pl.read_csv(clean / "manifest.csv").with_columns(
            path=pl.lit(f"{clean}/") + pl.col("path")
        )
        manifest = pl.concat([manifest, pl.DataFrame(planted)], how="diagonal_relaxed")
        manifest.write_csv(tmp_path / "manifest.csv")
        source = partial(table, tmp_path, audio_root="/")
        corpora = {
            name: Corpus(role, "uk" if name == "train_ext" else "ru", source, split)  # type: ignore[arg-type]
            for name, (role, split) in {n: (n, s) for n, s in roles.items()}.items()
        }
        data = SpeechDataModule(corpora, 16_000, cache=tmp_path / "measured", max_skipped=0.9)
        data.load(*roles)
        return data

    return load_with
