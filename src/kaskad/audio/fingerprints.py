"""What tells a recording from all others, whatever its file is called and however it is encoded.

A hash of its samples finds the same recording under another name or in another container. A copy
that was re-encoded, trimmed, resampled or made louder has other samples, but shares ``keys`` with
its original. Keys only propose: whether two recordings are copies, their ``similarity`` decides.

A key is what Haitsma and Kalker call a sub-fingerprint ("A Highly Robust Audio Fingerprinting
System", ISMIR 2002): for each pair of neighbouring bands, whether the energy shifted to the lower
of them. Theirs stand for every moment; ours for those whose bits are the surest, which a copy has
as well. With each comes its context, the bits a little before and after, alike in copies, too.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soxr
from rich.progress import track
from scipy import fft

from kaskad.audio.cache import file_stats, remembered
from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import Frames
from kaskad.audio.reading import read_audio, read_samples

# ``recording`` is the hash of the samples, null where they cannot be read; of each of the ``keys``,
# ``doubts`` masks the two bits that a copy is most likely to have the other way, and ``contexts``
# are the bits before and after.
FINGERPRINT: dict[str, pl.DataType | type[pl.DataType]] = {
    "recording": pl.UInt64,
    "keys": pl.List(pl.UInt32),
    "doubts": pl.List(pl.UInt32),
    "contexts": pl.List(pl.UInt64),
}
SIMILARITY = {"similarity": pl.Float64}

RATE = 4_000  # Hz: what the narrowest telephone leaves of speech
WINDOW, HOP = 1_024, 128  # samples: 0.256 s every 32 ms, between which there is another moment
KEY_BITS = 24
LOWEST, HIGHEST = 300.0, 1_800.0  # Hz
EARLIER = 16  # moments: a window is compared with the one before it, which it does not overlap
ASIDE = 8  # moments from a key to its context
FLOOR = 0.01  # of the mean energy: below it, codecs do as they like
DOUBTS = 2  # bits of a key that may be wrong
WEAKEST = 3  # bits, from the second least sure on, whose mean says how sure a moment is
MOST_KEYS = 12  # of a recording

KEPT_IN = "fingerprints-2"  # in the cache; another number where something else is measured
SIMILARITIES = "similarities.parquet"
PORTION = 20_000  # files after which what was measured is kept
WORTH_PROCESSES = 5_000  # files: fewer are read by threads before processes have started


def fingerprints(
    paths: pl.Series, cache: Path | None = None, workers: int | None = None
) -> pl.DataFrame:
    """Return the ``FINGERPRINT`` of each path, read by ``workers`` at once (None: one a core).

    With ``cache``, a folder, they are kept there, in a file for the folder that all paths share.
    """

    def measure(unread: pl.DataFrame) -> pl.DataFrame:
        rows = _spread(_fingerprint, unread["path"], unread.height, workers, "fingerprints")
        return pl.DataFrame(list(rows), schema=FINGERPRINT, orient="row")

    kept = cache_file(paths, cache) if cache is not None else None
    return remembered(file_stats(paths), FINGERPRINT, measure, kept, PORTION)


def cache_file(paths: pl.Series, cache: Path) -> Path:
    """Where the fingerprints of ``paths`` are kept: a corpus that grows goes on with its file."""
    # What the first and the last in order have in common, all have.
    ends = (str(paths.min() or ""), str(paths.max() or ""))
    folder = os.path.commonpath([os.path.dirname(path) for path in ends])
    return cache / KEPT_IN / f"{blake2b(folder.encode(), digest_size=8).hexdigest()}.parquet"


def similarities(
    pairs: pl.DataFrame, cache: Path | None = None, workers: int | None = None
) -> pl.DataFrame:
    """Return the ``SIMILARITY`` of each pair: its first two columns are paths, the others hashes.

    With ``cache``, a folder, they are kept there.
    """

    def measure(unread: pl.DataFrame) -> pl.DataFrame:
        files = unread.select(pl.nth(0, 1)).iter_rows()
        rows = _spread(_similarity, files, unread.height, workers, "similar recordings")
        return pl.DataFrame({"similarity": list(rows)}, schema=SIMILARITY)

    kept = cache / KEPT_IN / SIMILARITIES if cache is not None else None
    return remembered(pairs, SIMILARITY, measure, kept, PORTION)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """How alike two waveforms (samples,) at ``RATE`` are where they fit best: 0 to about 1.

    The largest correlation, over all shifts by half a sample, of what lies over each other: that
    is most of one recording, by its length and by its energy. Copies reach 0.95, unless they were
    clipped hard. The same word spoken twice by one voice seldom passes 0.88; of FSDD's 3,000 clips,
    half a second each, three do, with 0.92 to 0.94.
    """
    size = fft.next_fast_len(len(first) + len(second) + 1)
    spectra = [_emphasised(waveform, size) for waveform in (first, second)]
    # The spectrum has no negative frequencies, so magnitudes are an envelope: no phase matters.
    # Twice as long as it need be, its transform has a value for each half of a sample.
    envelope = 4 * np.abs(fft.ifft(spectra[0] * spectra[1].conj(), 2 * size))
    envelope = envelope.reshape(size, 2).max(axis=1)
    energies = [
        np.insert(np.cumsum(fft.irfft(spectrum, size)[: len(waveform)] ** 2, dtype=float), 0, 0.0)
        for spectrum, waveform in zip(spectra, (first, second), strict=True)
    ]
    shifts = np.arange(1 - len(second), len(first))
    begin, end = np.maximum(shifts, 0), np.minimum(shifts + len(second), len(first))
    ours = energies[0][end] - energies[0][begin]
    theirs = energies[1][end - shifts] - energies[1][begin - shifts]
    most = (end - begin) * 2 >= min(len(first), len(second))
    most &= (ours * 2 >= energies[0][-1]) | (theirs * 2 >= energies[1][-1])
    common = np.sqrt(ours * theirs)[most]
    return float((envelope[shifts[most] % size] / (common + 1e-12)).max(initial=0.0))


def keys_of(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys of a waveform (samples,) at ``RATE``, 12 at most, and doubts and contexts."""
    energies = _energies(waveform)
    levels = np.log(energies + FLOOR * energies.mean() + 1e-12)
    slopes = levels[:, :-1] - levels[:, 1:]
    changes = slopes[EARLIER:] - slopes[:-EARLIER]  # (moments, bits)
    sizes = np.abs(changes)
    sure = np.sort(sizes, axis=1)[:, 1 : 1 + WEAKEST].mean(axis=1)
    beside = np.lib.stride_tricks.sliding_window_view(np.pad(sure, 1), 3)
    moments = np.flatnonzero((sure == beside.max(axis=1)) & (sure > 0))
    moments = moments[np.argsort(-sure[moments], kind="stable")[:MOST_KEYS]]
    bit = 1 << np.arange(KEY_BITS, dtype=np.uint32)
    words = np.pad((changes > 0) @ bit, ASIDE)
    before, keys, after = (words[moments + aside] for aside in (0, ASIDE, 2 * ASIDE))
    doubts = bit[np.argsort(sizes[moments], axis=1)[:, :DOUBTS]].sum(axis=1, dtype=np.uint32)
    return keys, doubts, before.astype(np.uint64) << np.uint64(KEY_BITS) | after


def _energies(waveform: np.ndarray) -> np.ndarray:
    """The energy in each band at each moment, (moments, bands)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(waveform, WINDOW), WINDOW)[::HOP]
    spectra = fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))
    energies = (spectra.real**2 + spectra.imag**2) @ _bands()
    # They change slowly enough to follow, half way, from those of four windows.
    beside = np.pad(energies, ((1, 1), (0, 0)))
    half_way = (9 * (beside[1:-2] + beside[2:-1]) - beside[:-3] - beside[3:]) / 16
    moments = np.empty((2 * len(energies) - 1, energies.shape[1]), dtype=np.float32)
    moments[::2], moments[1::2] = energies, half_way.clip(0)
    return moments


@functools.cache
def _bands() -> np.ndarray:
    """Which bins belong to which band, (bins, bands): of equal width on a logarithmic scale."""
    edges = np.geomspace(LOWEST, HIGHEST, KEY_BITS + 2)
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    return ((bins >= edges[:-1]) & (bins < edges[1:])).astype(np.float32)


def _emphasised(waveform: np.ndarray, size: int) -> np.ndarray:
    """The spectrum in the band, the higher the louder: there, two takes are never alike."""
    frequencies = fft.rfftfreq(size, 1 / RATE)
    within = (frequencies >= LOWEST) & (frequencies <= HIGHEST)
    return fft.rfft(waveform, size) * (within * frequencies / HIGHEST).astype(np.float32)


def _fingerprint(path: str) -> tuple[int | None, list[int], list[int], list[int]]:
    try:
        if frames := Frames.at(path):  # they have no keys: only the same ones are found
            return _digest(frames.read()), [], [], []
        waveform, rate = read_samples(path)
    except (AudioError, OSError):
        return None, [], [], []
    # As 16 bits: what a file of integers holds, in whatever container.
    samples = (waveform * 32_768).round().clip(-32_768, 32_767).astype("<i2")
    keys, doubts, contexts = keys_of(soxr.resample(waveform, rate, RATE))
    return _digest(samples), keys.tolist(), doubts.tolist(), contexts.tolist()


def _digest(samples: np.ndarray) -> int:
    return int.from_bytes(blake2b(samples.tobytes(), digest_size=8).digest(), "little")


def _similarity(paths: tuple[str, str]) -> float | None:
    try:
        first, second = (read_audio(path, RATE) for path in paths)
    except (AudioError, OSError):
        return None
    return similarity(first, second)


def _spread(
    function: Callable[..., Any],
    jobs: Iterable[Any],
    total: int,
    workers: int | None,
    description: str,
) -> Iterator[Any]:
    """Map with a progress bar: by threads or, where there is enough to do, by processes."""
    workers = workers or os.cpu_count()
    pool: Executor = ThreadPoolExecutor(workers)
    if total >= WORTH_PROCESSES and workers != 1:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    with pool:
        done = pool.map(function, jobs, chunksize=16)
        yield from track(done, description, total=total, transient=True)
