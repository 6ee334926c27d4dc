"""What tells a recording from all others, whatever its file is called and however it is encoded.

A hash of its samples finds the same recording under another name or in another container. A copy
that was re-encoded, trimmed, resampled or made louder has other samples, but shares ``keys`` with
its original. Keys only propose: whether two recordings are copies, their ``similarity`` decides.

A key is what Haitsma and Kalker call a sub-fingerprint ("A Highly Robust Audio Fingerprinting
System", ISMIR 2002): for each pair of neighbouring bands, whether the energy shifted to the lower
of them. Theirs stand for every moment; ours for those whose bits are the surest, which a copy has
as well.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soxr
from rich.progress import track

from kaskad.audio.measurements import identities, remembered
from kaskad.audio.reading import AudioError, read_audio, read_header

# ``recording`` is the hash of the samples, null where they cannot be read; of each of the ``keys``,
# ``doubts`` masks the two bits that a copy is most likely to have the other way.
FINGERPRINT: dict[str, pl.DataType | type[pl.DataType]] = {
    "recording": pl.UInt64,
    "keys": pl.List(pl.UInt32),
    "doubts": pl.List(pl.UInt32),
}
SIMILARITY = {"similarity": pl.Float64}

RATE = 4_000  # Hz: what the narrowest telephone leaves of speech
WINDOW, HOP = 1_024, 64  # samples: 0.256 s every 16 ms, so a copy cut between two hops is alike
KEY_BITS = 24
LOWEST, HIGHEST = 300.0, 1_800.0  # Hz
EARLIER = 16  # hops: a window is compared with the one before it, which it does not overlap
FLOOR = 0.01  # of the mean energy: below it, codecs do as they like
DOUBTS = 2  # bits of a key that may be wrong
WEAKEST = 3  # bits, from the second least sure on, whose mean says how sure a moment is
MOST_KEYS = 12  # of a recording

KEPT_IN = "fingerprints-1"  # in the cache; another number where something else is measured
PORTION = 20_000  # files after which what was measured is kept
WORTH_PROCESSES = 5_000  # files: fewer are read before processes have started


def fingerprints(
    paths: list[str], cache: Path | None = None, workers: int | None = None
) -> pl.DataFrame:
    """Return the ``FINGERPRINT`` of each path, read by ``workers`` processes (None: one a core).

    With ``cache``, a folder, they are kept there, in a file for the folder that all paths share.
    """

    def measure(unread: pl.DataFrame) -> pl.DataFrame:
        rows = _spread(_fingerprint, unread["path"], unread.height, workers, "fingerprints")
        return pl.DataFrame(list(rows), schema=FINGERPRINT, orient="row")

    kept = None
    if cache is not None:
        folder = os.path.commonpath(map(os.path.dirname, paths))
        name = blake2b(folder.encode(), digest_size=8).hexdigest()
        kept = cache / KEPT_IN / f"{name}.parquet"
    return remembered(identities(paths), FINGERPRINT, measure, kept, PORTION)


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

    kept = cache / KEPT_IN / "similarities.parquet" if cache is not None else None
    return remembered(pairs, SIMILARITY, measure, kept, PORTION)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """How alike two waveforms (samples,) at ``RATE`` are where they fit best: 0 to about 1.

    The largest correlation, over all shifts by half a sample, of what lies over each other: that
    is most of one recording, by its length and by its energy. Copies reach 0.95, and the same word
    said twice by one voice has not been seen to pass 0.88.
    """
    size = 1 << (len(first) + len(second)).bit_length()
    spectra = [_emphasised(waveform, size) for waveform in (first, second)]
    # The spectrum has no negative frequencies, so magnitudes are an envelope: no phase matters.
    # Twice as long as it need be, its transform has a value for each half of a sample.
    envelope = 4 * np.abs(np.fft.ifft(spectra[0] * spectra[1].conj(), 2 * size))
    envelope = envelope.reshape(size, 2).max(axis=1)
    energies = [
        np.insert(np.cumsum(np.fft.irfft(spectrum, size)[: len(waveform)] ** 2), 0, 0.0)
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


def keys_of(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of a waveform (samples,) at ``RATE``, 12 at most, and the doubts of each."""
    padded = np.pad(waveform, WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectra = np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))
    energies = (spectra.real**2 + spectra.imag**2) @ _bands()
    levels = np.log(energies + FLOOR * energies.mean() + 1e-12)
    slopes = levels[:, :-1] - levels[:, 1:]
    changes = slopes[EARLIER:] - slopes[:-EARLIER]  # (moments, bits)
    sizes = np.abs(changes)
    order = sizes.argpartition(range(DOUBTS + WEAKEST), axis=1)
    sure = np.take_along_axis(sizes, order[:, 1 : 1 + WEAKEST], axis=1).mean(axis=1)
    beside = np.lib.stride_tricks.sliding_window_view(np.pad(sure, 1), 3)
    moments = np.flatnonzero((sure == beside.max(axis=1)) & (sure > 0))
    moments = moments[np.argsort(-sure[moments], kind="stable")[:MOST_KEYS]]
    bit = 1 << np.arange(KEY_BITS, dtype=np.uint32)
    keys = ((changes[moments] > 0) * bit).sum(axis=1, dtype=np.uint32)
    return keys, bit[order[moments, :DOUBTS]].sum(axis=1, dtype=np.uint32)


@functools.cache
def _bands() -> np.ndarray:
    """Which bins belong to which band, (bins, bands): of equal width on a logarithmic scale."""
    edges = np.geomspace(LOWEST, HIGHEST, KEY_BITS + 2)
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    return ((bins >= edges[:-1]) & (bins < edges[1:])).astype(np.float32)


def _emphasised(waveform: np.ndarray, size: int) -> np.ndarray:
    """The spectrum in the band, the higher the louder: there, two takes are never alike."""
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    within = (frequencies >= LOWEST) & (frequencies <= HIGHEST)
    return np.fft.rfft(waveform, size) * within * frequencies / HIGHEST


def _fingerprint(path: str) -> tuple[int | None, list[int], list[int]]:
    try:
        rate = read_header(path).sample_rate
        waveform = read_audio(path, rate)
    except (AudioError, OSError):
        return None, [], []
    # As 16 bits: what a file of integers holds, in whatever container.
    samples = (waveform * 32_768).round().clip(-32_768, 32_767).astype("<i2")
    recording = int.from_bytes(blake2b(samples.tobytes(), digest_size=8).digest(), "little")
    keys, doubts = keys_of(soxr.resample(waveform, rate, RATE))
    return recording, keys.tolist(), doubts.tolist()


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
    """Map, by processes where there is enough to do, with a progress bar."""
    if workers == 1 or total < WORTH_PROCESSES:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(function, jobs, chunksize=16)
        yield from track(done, description, total=total, transient=True)
