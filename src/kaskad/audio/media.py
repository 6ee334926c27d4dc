"""Recordings of phones, browsers and Windows: M4A, AAC, WebM, AMR, WMA and their like.

FFmpeg's libraries decode them, which come in the wheel of PyAV (the extra ``media``). A file is
known by its first bytes, never by its name, and only the reader of that one kind is asked: among
FFmpeg's others are some for playlists, which would open other files and addresses.
"""

import functools
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from kaskad.audio.files import (
    MOST_SAMPLES_A_BYTE,
    AudioError,
    Packed,
    PackedPart,
    differing,
    opened,
)

# How files begin, at which byte, and the reader of FFmpeg for them.
BEGINNINGS = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"#!AMR", "amr"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (8, b"AVI ", "avi"),
    (8, b"QLCM", "qcp"),
    (0, b"FLV\x01", "flv"),
    (0, b".RMF", "rm"),
    (0, b".ra\xfd", "rm"),
    (0, b"MAC ", "ape"),
    (0, b"wvpk", "wv"),
    (0, b"TTA1", "tta"),
    (0, b"tBaK", "tak"),
    (0, b"MP+", "mpc"),
    (0, b"MPCK", "mpc8"),
    (0, b"\x7f\xfe\x80\x01", "dts"),
    (1, b"dss", "dss"),
    (0, b"\x56\xe0", "loas"),
)
# Codecs within WAV that libsndfile does not know, by their tags.
IN_WAV = {0x20, 0x22, 0x42, 0x45, 0x50, 0x64, 0x83, 0xFF, 0x160, 0x161, 0x162, 0x163}
IN_WAV |= {0x1600, 0x1602, 0x2000, 0x2001, 0x704F, 0xA109}
# And within Ogg.
IN_OGG = (b"Speex   ", b"\x7fFLAC")
# Formats whose header says how long the recording is; of others FFmpeg guesses.
SAY_THEIR_LENGTH = frozenset(("mov", "matroska", "asf", "avi", "flv", "ape", "wv", "tta", "caf"))
# Formats in which a time can be gone to, and what is decoded before it, in seconds.
CAN_SEEK, AHEAD = frozenset(("mov", "matroska", "aac", "amr", "asf")), 0.5
TOLERANCE = 0.25  # seconds by which a header may differ: decoders leave out what encoders put first
GAP = 0.1  # seconds
MISSING = "is of a kind that PyAV decodes, which is missing: pip install 'kaskad[media]'"


@dataclass(frozen=True)
class Length:
    """What decoding a recording found: ``samples`` a channel; ``begins`` is the time that the file
    gives its first one, in seconds, None where times do not tell where a sample is; ``doubt`` is
    why this may not be all of it."""

    samples: int
    sample_rate: int
    channels: int
    begins: float | None
    doubt: str | None


def kind_of(head: bytes) -> str | None:
    """Which reader of FFmpeg the first bytes of a file ask for; None where libsndfile is asked."""
    for place, beginning, kind in BEGINNINGS:
        if head[place : place + len(beginning)] == beginning:
            return kind
    if head[:2] == b"\x0b\x77" and len(head) > 5:
        return "eac3" if head[5] >> 3 > 10 else "ac3"
    if _is_adts(head):
        return "aac"
    if head[:1] == b"\x47" and head[188:189] == b"\x47":
        return "mpegts"
    if head[:4] == b"caff" and head[28:32] in (b"aac ", b"ima4", b".mp3", b"samr", b"opus"):
        return "caf"
    is_other = head[:4] == b"OggS" and any(name in head[:80] for name in IN_OGG)
    return "ogg" if is_other else None


def _is_adts(head: bytes) -> bool:
    """Whether two frames of AAC begin a file, one after the other. In MP3 the two bits of the layer
    are not 0."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return False
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size > 7 and head[size : size + 2] == head[:2]


@functools.lru_cache(maxsize=1_024)  # many segments may be of one recording
def measure(place: Packed, kind: str, modified: int) -> Length:
    """Decode a file as it was ``modified``, and say how much there is. Raises ``AudioError``."""
    with opened(place) as file:
        part: Any = file if place.size < 0 else PackedPart(file, place)
        with _stream(part, kind) as (container, stream):
            pieces = _Pieces(container, stream)
            samples, gaps = 0, False
            begins: float | None = None
            for at, piece in pieces:
                if at is None or begins is None:
                    begins, gaps = at, gaps or at is None
                else:
                    gaps = gaps or abs(at - begins - samples / pieces.rate) > GAP
                samples += len(piece)
            seekable = kind in CAN_SEEK and not gaps
            if isinstance(part, PackedPart) and part.failure:
                raise part.failure
            joined = _joined(part) if kind == "mov" else None
            tracks = len(container.streams.audio)
            others = (
                f"has {tracks} tracks of sound, of which the first is read" if tracks > 1 else None
            )
            there = samples / pieces.rate
            doubt = pieces.doubt or joined or others or _doubt(container, stream, kind, there)
            return Length(
                samples, pieces.rate, pieces.channels, begins if seekable else None, doubt
            )


def decode(
    file: BinaryIO,
    kind: str,
    length: Length | None = None,
    begin: int = 0,
    end: int | None = None,
) -> tuple[np.ndarray, int]:
    """Return the samples ``begin`` to ``end`` of a file, (samples, channels) float32, and their
    rate in Hz; with ``length``, what lies before them is not decoded where that can be helped.

    Raises ``AudioError`` where they cannot be decoded.
    """
    with _stream(file, kind) as (container, stream):
        place = 0
        start: float | None = None
        if length is not None and length.begins is not None:
            start = length.begins + begin / length.sample_rate
            if begin / length.sample_rate > AHEAD:
                container.seek(int((start - AHEAD) * 1e6))
        pieces = _Pieces(container, stream)
        kept: list[np.ndarray] = []
        for at, piece in pieces:
            if start is not None and length is not None and at is not None and not kept:
                place = round((at - (length.begins or 0.0)) * length.sample_rate)
            kept.append(piece[max(0, begin - place) : None if end is None else max(0, end - place)])
            place += len(piece)
            if end is not None and place >= end:
                break
        return np.concatenate(kept), pieces.rate


class _Pieces:
    """The decoded pieces of a stream, each with its time in seconds, and what they are like."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream, self._size = container, stream, container.size
        self.rate, self.channels = 0, 0
        self.doubt: str | None = None

    def __iter__(self) -> Iterator[tuple[float | None, np.ndarray]]:
        import av

        left = MOST_SAMPLES_A_BYTE * self._size
        broken = 0
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                broken += 1
                continue
            for frame in frames:
                if broken:
                    raise AudioError("is damaged: a part of it cannot be decoded")
                left -= frame.samples * frame.layout.nb_channels
                if left < 0:
                    raise AudioError("holds more sound than fits into its bytes")
                yield frame.time, self._samples(frame)
        if self.rate == 0:
            raise AudioError("holds no sound that can be decoded" if broken else "holds no samples")
        if broken:
            self.doubt = "breaks off: its end cannot be decoded"

    def _samples(self, frame: Any) -> np.ndarray:
        """(samples, channels) float32 in [-1, 1]."""
        channels = frame.layout.nb_channels
        if self.rate and (self.rate, self.channels) != (frame.sample_rate, channels):
            raise AudioError("is recordings of several kinds, joined in one file")
        self.rate, self.channels = frame.sample_rate, channels
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
        if samples.dtype.kind == "f":
            return np.ascontiguousarray(samples, np.float32)
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        middle = half if samples.dtype.kind == "u" else 0.0
        return ((samples.astype(np.float64) - middle) / half).astype(np.float32)


@contextmanager
def _stream(file: BinaryIO, kind: str) -> Iterator[tuple[Any, Any]]:
    """A file, and the sound in it, as PyAV has them."""
    try:
        import av
    except ImportError as error:
        raise AudioError(MISSING) from error
    file.seek(0)
    try:
        container = av.open(file, format=kind, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise AudioError(
            f"not an audio file, or a broken one: it begins as {kind} does, and breaks off"
        ) from error
    with container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None:
            raise AudioError("holds no sound" if stream is None else "holds sound of an odd kind")
        stream.codec_context.thread_count = 1  # files are read side by side
        yield container, stream


def _doubt(container: Any, stream: Any, kind: str, there: float) -> str | None:
    if kind not in SAY_THEIR_LENGTH:
        return None
    if stream.duration is not None:
        stated = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        stated = container.duration / 1e6
    else:
        return None
    return differing(stated, there) if abs(there - stated) > TOLERANCE else None


def _joined(file: BinaryIO) -> str | None:
    """Why an MP4 may hold more than is read of it: by its boxes, each with its size and name."""
    size, place, begins = file.seek(0, os.SEEK_END), 0, 0
    while place + 8 <= size:
        file.seek(place)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        begins += name == b"ftyp"
        if length < 8:  # 0: to the end
            break
        place += length
    return (
        f"is {begins} recordings joined in one file, of which one is read" if begins > 1 else None
    )
