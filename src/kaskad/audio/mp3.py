"""How much an MP3 file holds: its frames, walked one by one.

An MP3 file has no header. What an encoder may put in its first frame ("Xing" or "Info") says how
many frames follow; without it, as in a file that was streamed, libsndfile guesses from the bytes,
and reads no further than it has guessed.
Source: ISO/IEC 11172-3, 2.4.2.3 (MPEG-1) and ISO/IEC 13818-3 (MPEG-2) for the headers of frames.
"""

import struct
from dataclasses import dataclass

# Kilobits a second, by the four bits of a header: MPEG-1, and MPEG-2 and 2.5, layer III.
BIT_RATES = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAMPLE_RATES = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
JUNK = 65_536  # bytes between two frames, of tags or of damage, after which they go on
HEADER = 4


@dataclass(frozen=True)
class Frame:
    """``size`` in bytes; ``samples`` a channel; ``side`` is how many bytes of side information lie
    between the header and what would be a Xing header."""

    size: int
    samples: int
    sample_rate: int
    side: int

    @classmethod
    def at(cls, content: bytes, place: int) -> "Frame | None":
        """The frame that begins at a place, None where none does."""
        if place + HEADER > len(content):
            return None
        first, second, third, fourth = content[place : place + HEADER]
        version, layer = second >> 3 & 3, second >> 1 & 3
        bit_rate, sample_rate = third >> 4, third >> 2 & 3
        if first != 0xFF or second & 0xE0 != 0xE0 or version == 1 or layer != 1:
            return None
        if bit_rate in (0, 15) or sample_rate == 3:
            return None
        is_mono, is_first = fourth >> 6 == 3, version == 3
        samples = 1152 if is_first else 576
        rate = SAMPLE_RATES[version][sample_rate]
        bits = 1000 * BIT_RATES[1 if is_first else 2][bit_rate]
        side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
        return cls(samples // 8 * bits // rate + (third >> 1 & 1), samples, rate, side)


@dataclass(frozen=True)
class Frames:
    """All that is found in an MP3 file: ``count`` frames of sound, whole ones, from byte ``first``
    on; ``said`` is what the Xing header says of their number, None where there is none; frames of
    a constant bit rate are all of one size, give or take a byte."""

    first: int
    count: int
    said: int | None
    frame: Frame
    is_constant: bool

    @property
    def samples(self) -> int:
        return self.count * self.frame.samples

    @property
    def seconds(self) -> float:
        return self.samples / self.frame.sample_rate


def walk(content: bytes) -> Frames | None:
    """Walk the frames of an MP3 file; None where this is none."""
    place = after_tags(content)
    first = Frame.at(content, place)
    if first is None or Frame.at(content, place + first.size) is None:
        found = _next_frame(content, place)
        if found is None:
            return None
        place = found
        first = Frame.at(content, place)
        assert first is not None
    begin, count, said, sizes = place, 0, None, set[int]()
    while place < len(content):
        frame = Frame.at(content, place)
        if frame is None:
            found = _next_frame(content, place)
            if found is None:
                break
            place = found
            continue
        if place + frame.size > len(content):  # what is cut off cannot be decoded
            break
        header = _xing(content, place, frame)
        if header is None:
            count += 1
            sizes.add(frame.size)
        elif said is None and count == 0:
            said = header
        place += frame.size
    is_constant = bool(sizes) and max(sizes) - min(sizes) <= 1
    return Frames(begin, count, said, first, is_constant) if count else None


def with_header(content: bytes, frames: Frames) -> bytes:
    """The same sound after a Xing header that says how many frames there are."""
    header = bytearray(content[frames.first : frames.first + HEADER])
    header[1] |= 1  # no checksum
    header[2] = header[2] & 0x0D | 0x50  # a bit rate to begin with, no padding
    while True:
        frame = Frame.at(bytes(header), 0)
        assert frame is not None
        if frame.size >= HEADER + frame.side + 12:
            break
        header[2] += 0x10
    xing = bytes(header) + bytes(frame.side) + b"Xing" + struct.pack(">II", 1, frames.count)
    begin = frames.first
    if frames.said is not None:
        begin += frames.frame.size
    return xing.ljust(frame.size, b"\0") + content[begin:]


def after_tags(content: bytes) -> int:
    """Where the sound begins, after ID3 tags."""
    place = 0
    while content[place : place + 3] == b"ID3" and len(content) >= place + 10:
        size = content[place + 6 : place + 10]
        place += 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=True)
        )
    return place


def _next_frame(content: bytes, place: int) -> int | None:
    """Where the next frame begins that another one follows."""
    end = min(len(content), place + JUNK)
    while (place := content.find(b"\xff", place + 1, end)) >= 0:
        frame = Frame.at(content, place)
        if frame and Frame.at(content, place + frame.size):
            return place
    return None


def _xing(content: bytes, place: int, frame: Frame) -> int | None:
    """What the Xing header in a frame says of the number of frames; None where it has none."""
    at = place + HEADER + frame.side
    if content[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, count = struct.unpack(">II", content[at + 4 : at + 12].ljust(8, b"\0"))
    return int(count) if flags & 1 else 0
