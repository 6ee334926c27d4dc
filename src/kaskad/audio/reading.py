"""Audio files in: decoded, mono, at one sample rate, or an error that says what is wrong.

A file may lie in a tar file: see ``kaskad.audio.files``. Any path may end in the seconds and the
channel that are meant: see ``kaskad.audio.segments``.

libsndfile decodes what it knows, and FFmpeg what phones and browsers write: ``kaskad.audio.media``.

Whatever is wrong with a file is an ``AudioError``: it costs that file, and not the job. What is
read is what there is, not what the header says: see ``kaskad.audio.containers``.
"""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from kaskad.audio import media
from kaskad.audio.containers import Content, doubt_in, examine
from kaskad.audio.files import (
    MOST_SAMPLES_A_BYTE,
    AudioError,
    Packed,
    PackedPart,
    as_audio_errors,
    opened,
)
from kaskad.audio.segments import Segment

log = logging.getLogger(__name__)

BLOCK = 2**20  # samples that are decoded at a time
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz
LOUDEST = 8.0  # of floats: beyond it they are integers that were cast, not samples from -1 to 1
GUESSED = 2 * 1_152  # samples by which a decoder may differ where it only guesses their number
# A mean of channels of less than this share of their power is what is left where they cancel.
CANCELLED = 0.01


@dataclass(frozen=True)
class AudioHeader:
    """What a file holds: samples a channel, Hz, channels; and, where its header says something else
    of its length, the ``doubt`` whether it is all of the recording."""

    samples: int
    sample_rate: int
    channels: int
    doubt: str | None = None

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate


def read_header(path: str | Path) -> AudioHeader:
    """Read the header alone, and of a tar file no more than that takes.

    Raises ``AudioError`` where there is no audio to be had.
    """
    segment = Segment.at(path)
    headers = []
    with as_audio_errors(), _sources(path, whole=False) as (content, sources, size):
        if content.media is not None:
            headers.append(_header_of_media(path, content.media, size))
        for source in [] if content.media is not None else sources:
            with _open(source) as file:
                doubt = content.doubt
                if doubt is None and not file.format.startswith(("WAV", "RF64")):
                    doubt = doubt_in(file.extra_info)
                samples = _count(file, content, size)
                headers.append(AudioHeader(samples, file.samplerate, file.channels, doubt))
    if len({(header.sample_rate, header.channels) for header in headers}) > 1:
        raise AudioError(f"is {len(headers)} recordings of several kinds, joined in one file")
    samples, first = sum(header.samples for header in headers), headers[0]
    begin, end = _bounds(segment, samples, first.sample_rate, first.channels)
    channels = first.channels if segment.channel is None else 1
    return AudioHeader(end - begin, first.sample_rate, channels, first.doubt)


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Return the waveform (samples,) float32 in [-1, 1], channels averaged, at ``sample_rate`` Hz.

    Raises ``AudioError`` if the file is missing, unreadable, truncated, empty, or holds samples
    that are not finite.
    """
    waveform, rate = read_samples(path)
    if rate == sample_rate:
        return waveform
    with as_audio_errors():
        resampled = np.clip(soxr.resample(waveform, rate, sample_rate), -1.0, 1.0)
    if not len(resampled):
        raise AudioError(f"holds {len(waveform)} samples, too few at {sample_rate} Hz")
    return resampled


def read_samples(path: str | Path) -> tuple[np.ndarray, int]:
    """As ``read_audio``, at the sample rate of the file, which is returned as well."""
    segment = Segment.at(path)
    with as_audio_errors(), _sources(path, whole=True) as (content, sources, size):
        if content.media is not None:
            samples, rate = _decode_media(path, sources[0], segment, content.media)
        elif len(sources) == 1:
            samples, rate = _decode(sources[0], segment, content, size)
        else:
            decoded = [_decode(source, Segment(""), content, size) for source in sources]
            if len({(rate, part.shape[1]) for part, rate in decoded}) > 1:
                raise AudioError(f"is {len(decoded)} recordings of several kinds, joined in a file")
            samples, rate = np.concatenate([part for part, _ in decoded]), decoded[0][1]
            begin, end = _bounds(segment, len(samples), rate, samples.shape[1])
            samples = samples[begin:end]
        waveform = _mono(samples, segment.channel, path)
        if not np.isfinite(waveform).all():
            raise AudioError("holds samples that are not finite (NaN or Inf)")
        if np.abs(waveform).max(initial=0.0) > LOUDEST:
            raise AudioError(
                f"holds samples up to {np.abs(waveform).max():.3g}, where floats go from -1 to 1"
            )
        return np.clip(waveform, -1.0, 1.0), rate


def _header_of_media(path: str | Path, kind: str, size: int) -> AudioHeader:
    found = _length(path, kind)
    _require_likely(found.samples, found.channels, found.sample_rate, size)
    return AudioHeader(found.samples, found.sample_rate, found.channels, found.doubt)


def _decode_media(
    path: str | Path, source: Any, segment: Segment, kind: str
) -> tuple[np.ndarray, int]:
    """As ``_decode``, of what FFmpeg decodes."""
    if segment.start == 0 and segment.end is None:
        samples, rate = media.decode(source, kind)
        _bounds(segment, len(samples), rate, samples.shape[1])
        return samples, rate
    found = _length(path, kind)
    begin, end = _bounds(segment, found.samples, found.sample_rate, found.channels)
    return media.decode(source, kind, found, begin, end)


def _length(path: str | Path, kind: str) -> media.Length:
    place = Packed.at(path) or Packed(Segment.at(path).file, 0, -1)
    return media.measure(place, kind, os.stat(place.file).st_mtime_ns)


def _mono(samples: np.ndarray, channel: int | None, path: str | Path) -> np.ndarray:
    """One channel of (samples, channels), or their mean; the loudest where they cancel out."""
    if channel is not None or samples.shape[1] == 1:
        return samples[:, channel or 0]
    mean: np.ndarray = samples.mean(axis=1)
    powers = np.square(samples, dtype=np.float64).mean(axis=0)
    if np.square(mean, dtype=np.float64).mean() < CANCELLED * powers.mean():
        loudest = int(powers.argmax())
        log.warning("%s: its channels cancel each other out; channel %d is read", path, loudest)
        return samples[:, loudest]
    return mean


def _decode(source: Any, segment: Segment, content: Content, size: int) -> tuple[np.ndarray, int]:
    """The samples (samples, channels) of a segment, and their rate in Hz."""
    with _open(source) as file:
        count = _count(file, content, size)
        begin, end = _bounds(segment, count, file.samplerate, file.channels)
        blocks, left = [np.empty((0, file.channels), np.float32)], end - begin
        try:
            if begin and file.seekable():
                file.seek(begin)
            for skipped in range(0, 0 if file.seekable() else begin, BLOCK):
                file.read(min(BLOCK, begin - skipped))
            while left and len(block := file.read(min(BLOCK, left), "float32", always_2d=True)):
                blocks.append(block)
                left -= len(block)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError("breaks off: its end cannot be decoded") from error
        if left > (GUESSED if content.samples is not None else 0):
            raise AudioError(f"breaks off after {end - left} of {count} samples")
        return np.concatenate(blocks), file.samplerate


def _count(file: soundfile.SoundFile, content: Content, size: int) -> int:
    """How many samples a channel has, by the header unless that only guesses."""
    count = file.frames if content.samples is None else content.samples
    _require_likely(count, file.channels, file.samplerate, size)
    return count


def _require_likely(samples: int, channels: int, sample_rate: int, size: int) -> None:
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise AudioError(f"says that it has {sample_rate} samples a second")
    if samples * channels > MOST_SAMPLES_A_BYTE * size:
        raise AudioError(
            f"not as long as it says: {samples} samples do not fit into its {size} bytes"
        )


def _bounds(segment: Segment, samples: int, rate: int, channels: int) -> tuple[int, int]:
    """The first sample of a segment, and the one after its last."""
    if samples == 0:
        raise AudioError("holds no samples")
    try:
        segment.require_channel(channels)
        return segment.samples(samples, rate)
    except ValueError as error:
        raise AudioError(f"the segment {error}") from error


@contextmanager
def _sources(path: str | Path, *, whole: bool) -> Iterator[tuple[Content, list[Any], int]]:
    """What a file is found to hold, what to decode for it, and its size in bytes.

    Of a packed file, all is read at once where the ``whole`` of it is wanted.
    """
    packed = Packed.at(path)
    place = packed or Packed(Segment.at(path).file, 0, -1)
    with opened(place) as file:
        size = packed.size if packed else os.fstat(file.fileno()).st_size
        if size == 0:
            raise AudioError("is empty: it has no bytes")
        part: Any = file
        if packed and whole:
            file.seek(packed.offset)
            part = io.BytesIO(file.read(size))
        elif packed:
            part = PackedPart(file, packed)
        content = examine(part, size)
        part.seek(0)
        pieces: list[Any] = [io.BytesIO(piece) for piece in content.pieces or []]
        # libsndfile knows some formats by the name of the file alone.
        named = packed is None and content.media is None
        try:
            yield content, pieces or [os.fsencode(place.file) if named else part], size
        finally:
            if isinstance(part, PackedPart) and part.failure:
                raise part.failure


def _open(source: Any) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(source)
    except Exception as error:  # soundfile has several ways to refuse one
        raise AudioError("not an audio file, or a broken one") from error
