"""How loud recordings are, and whether they were clipped; read by threads, once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import track

from kaskad.audio.cache import file_for, file_stats, remembered
from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import Frames
from kaskad.audio.reading import read_samples

# ``level``: root mean square in dB of full scale, -120 at least; ``clipped``: the share of samples
# at full scale. Null where there is no audio: of features, too.
LEVELS = {"level": pl.Float64, "clipped": pl.Float64}
FULL_SCALE = 0.999
LOWEST = 1e-6  # -120 dB
PORTION = 20_000  # files after which what was measured is kept


def levels(paths: pl.Series, cache: Path | None = None) -> pl.DataFrame:
    """Return the ``LEVELS`` of each path; with ``cache``, a folder, they are kept there."""
    kept = None if cache is None else file_for(paths, cache / "levels-1")
    failed = pl.col("level").is_null()
    return remembered(file_stats(paths), LEVELS, _measure, kept, PORTION, failed)


def _measure(unread: pl.DataFrame) -> pl.DataFrame:
    with ThreadPoolExecutor() as pool:
        measured = pool.map(_levels, unread["path"])
        rows = list(track(measured, "measuring levels", total=unread.height, transient=True))
    return pl.DataFrame(rows, schema=LEVELS, orient="row")


def _levels(path: str) -> tuple[float | None, float | None]:
    if Frames.at(path):
        return None, None
    try:
        waveform, _ = read_samples(path)
    except (AudioError, OSError):
        return None, None
    loudness = max(float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))), LOWEST)
    return 20 * float(np.log10(loudness)), float((np.abs(waveform) >= FULL_SCALE).mean())
