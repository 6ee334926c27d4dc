"""How much an MP3 file holds: its frames, walked one by one.

An MP3 file has no header. What an encoder may put in its first frame ("Xing" or "Info") says how
many frames follow; without it, as in a file that was streamed, libsndfile guesses from the bytes,
and reads no further than it has guessed.
Source: ISO/IEC 11172-3, 2.4.2.3 (MPEG-1) and ISO/IEC 13818-3 (MPEG-2) for the headers of frames.
"""

import struct
from dataclasses import dataclass

from kaskad.audio.remainders import after_tags

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
SURE = 3  # frames of one kind in a row that are no chance


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

    def is_like(self, other: "Frame") -> bool:
        """Whether both have one sample rate, and as many channels."""
        return (self.sample_rate, self.side) == (other.sample_rate, other.side)


@dataclass(frozen=True)
class Frames:
    """All that is found in an MP3 file.

    Attributes:
        count: frames of sound, whole ones.
        stated: what the Xing header says of their number; None where there is none.
        first: the first of them, or that header.
        spans: the bytes, from one to another, in which they stand without anything between.
        is_constant: whether they are of a constant bit rate: all of one size, give or take a byte.
        is_of_one_kind: whether they have one sample rate, and as many channels.
        end: the byte after the last of them.
    """

    count: int
    stated: int | None
    first: Frame
    spans: list[tuple[int, int]]
    is_constant: bool
    is_of_one_kind: bool
    end: int

    @property
    def samples(self) -> int:
        return self.count * self.first.samples

    @property
    def seconds(self) -> float:
        return self.samples / self.first.sample_rate


def walk(content: bytes) -> Frames | None:
    """Walk the frames of an MP3 file; None where this is none."""
    place: int | None = after_tags(content)
    count, stated, end, is_of_one_kind = 0, None, 0, True
    sizes, spans = set[int](), list[tuple[int, int]]()
    first: Frame | None = None
    while place is not None and place < len(content):
        frame = Frame.at(content, place)
        if frame is None or (not count and not _goes_on(content, place, frame, 2)):
            found = after_tags(content, place)
            place = found if found > place else _next_frame(content, place, first)
            continue
        if first is not None and not frame.is_like(first):
            if not _goes_on(content, place, frame, SURE):
                place = _next_frame(content, place, first)
                continue
            is_of_one_kind = False
        if place + frame.size > len(content):  # what is cut off cannot be decoded
            break
        first = first or frame
        header = _xing(content, place, frame)
        end = place + frame.size
        if header is None:
            count += 1
            sizes.add(frame.size)
            begin = spans.pop()[0] if spans and spans[-1][1] == place else place
            spans.append((begin, end))
        elif stated is None and count == 0:
            stated = header
        place = end
    if first is None or not count:
        return None
    is_constant = max(sizes) - min(sizes) <= 1
    return Frames(count, stated, first, spans, is_constant, is_of_one_kind, end)


def with_header(content: bytes, frames: Frames) -> bytes:
    """The same sound after a Xing header that says how many frames there are."""
    begin = frames.spans[0][0]
    header = bytearray(content[begin : begin + HEADER])
    header[1] |= 1  # no checksum
    header[2] = header[2] & 0x0D | 0x50  # a bit rate to begin with, no padding
    while True:
        frame = Frame.at(bytes(header), 0)
        assert frame is not None
        if frame.size >= HEADER + frame.side + 12:
            break
        header[2] += 0x10
    xing = bytes(header) + bytes(frame.side) + b"Xing" + struct.pack(">II", 1, frames.count)
    sound = (content[begin:end] for begin, end in frames.spans)
    return b"".join((xing.ljust(frame.size, b"\0"), *sound))


def _goes_on(content: bytes, place: int, frame: Frame, count: int) -> bool:
    """Whether so many frames of one kind stand in a row from a place on, or up to the end."""
    for _ in range(count - 1):
        place += frame.size
        if place == len(content):
            return True
        following = Frame.at(content, place)
        if following is None or not following.is_like(frame):
            return False
        frame = following
    return True


def _next_frame(content: bytes, place: int, like: Frame | None) -> int | None:
    """Where the next frame begins that others follow, or the next tag."""
    end = min(len(content), place + JUNK)
    tag = content.find(b"ID3", place + 1, end)
    while (place := content.find(b"\xff", place + 1, end)) >= 0:
        frame = Frame.at(content, place)
        sure = 2 if like is None or (frame and frame.is_like(like)) else SURE
        if frame and _goes_on(content, place, frame, sure):
            break
    return min((found for found in (place, tag) if found >= 0), default=None)


def _xing(content: bytes, place: int, frame: Frame) -> int | None:
    """What the Xing header in a frame says of the number of frames; None where it has none."""
    at = place + HEADER + frame.side
    if content[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, count = struct.unpack(">II", content[at + 4 : at + 12].ljust(8, b"\0"))
    return int(count) if flags & 1 else 0
