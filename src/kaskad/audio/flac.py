"""How much a FLAC file holds, by the header of its last frame.

The header of the file says how many samples there are, unless the encoder wrote to a pipe and could
not know; each frame says which it is. Source: RFC 9639, sections 8.2 and 9.1.
"""

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

STREAMINFO = 8  # where its content begins, after "fLaC" and the header of its block
TOTAL = 18  # where 8 bytes begin whose last 36 bits are the number of samples
SYNC = re.compile(rb"\xff[\xf8\xf9]")
BEGINNING = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
SMALL = 65_536  # bytes
LARGEST_FRAME = 262_144  # bytes, where the header does not say it
LONGEST_HEADER = 16


@dataclass(frozen=True)
class Length:
    """Samples a channel: those that the header says, 0 where it does not, and those there are; a
    last frame that is not whole is counted. ``is_certain``: where the two differ, the checksum of
    that frame is right."""

    stated: int
    there: int
    sample_rate: int
    is_certain: bool


def measure(file: BinaryIO, size: int) -> Length | None:
    """Measure a FLAC file of ``size`` bytes; None where no frame is found in its end."""
    file.seek(0)
    head = file.read(42)
    if head[:4] != b"fLaC" or len(head) < 42:
        return None
    block = struct.unpack_from(">H", head, STREAMINFO)[0]
    fields = struct.unpack_from(">Q", head, TOTAL)[0]
    largest = int.from_bytes(head[15:18], "big") or LARGEST_FRAME
    file.seek(max(42, size - largest - LONGEST_HEADER))
    tail = file.read(largest + LONGEST_HEADER)
    for found in reversed(list(SYNC.finditer(tail))):
        end = _end_of_frame(tail[found.start() : found.start() + LONGEST_HEADER], block)
        if end is not None:
            stated = fields & (1 << 36) - 1
            # Slow, and asked for only where it matters.
            is_certain = stated in (0, end) or _crc16(tail[found.start() :]) == 0
            return Length(stated, end, fields >> 44, is_certain)
    return None


def is_joined(file: BinaryIO, size: int) -> bool:
    """Whether a FLAC file may be several, end to end: its frames are not in the order of their
    numbers, where it is looked at, or it is small enough to be searched."""
    file.seek(0)
    head = file.read(42)
    if len(head) < 42 or size < SMALL:
        return True
    block = struct.unpack_from(">H", head, STREAMINFO)[0]
    largest = min(int.from_bytes(head[15:18], "big") or SMALL, SMALL)
    ends = []
    for place in (size // 4, size // 2, size * 3 // 4):
        file.seek(place)
        window = file.read(2 * largest + LONGEST_HEADER)
        for found in SYNC.finditer(window):
            end = _end_of_frame(window[found.start() : found.start() + LONGEST_HEADER], block)
            if end is not None:
                ends.append(end)
                break
    return ends != sorted(set(ends))


def parts(content: bytes) -> list[bytes]:
    """The FLAC files of which one consists."""
    begins = [found.start() for found in BEGINNING.finditer(content)] or [0]
    ends = [*begins[1:], len(content)]
    return [content[begin:end] for begin, end in zip(begins, ends, strict=True)]


def with_length(content: bytes, samples: int) -> bytes:
    """The same file, whose header says so many samples."""
    changed = bytearray(content)
    fields = struct.unpack_from(">Q", changed, TOTAL)[0]
    struct.pack_into(">Q", changed, TOTAL, fields >> 36 << 36 | samples)
    return bytes(changed)


def _end_of_frame(header: bytes, block: int) -> int | None:
    """The sample after the last of a frame; None where these bytes are no header of one.

    ``block`` is how many samples the frames have, where all but the last have the same.
    """
    if len(header) < LONGEST_HEADER:
        header = header.ljust(LONGEST_HEADER, b"\0")
    size_code, rate_code = header[2] >> 4, header[2] & 15
    if size_code == 0 or rate_code == 15 or header[3] & 1 or header[3] >> 4 > 10:
        return None
    ones = f"{header[4]:08b}".index("0") if header[4] != 0xFF else 8
    count = max(ones, 1)  # bytes of the number, coded as letters are in UTF-8
    if ones in (1, 8):
        return None
    number = header[4] & (0x7F if ones == 0 else 0x7F >> ones)
    for byte in header[5 : 4 + count]:
        number = number << 6 | byte & 0x3F
    place = 4 + count
    if size_code in (6, 7):
        width = size_code - 5
        samples = int.from_bytes(header[place : place + width], "big") + 1
        place += width
    elif size_code == 1:
        samples = 192
    else:
        samples = 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _crc8(header[:place]) != header[place]:
        return None
    has_sample_numbers = header[1] & 1
    return (number if has_sample_numbers else number * block) + samples


def _crc8(content: bytes) -> int:
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def _crc16(content: bytes) -> int:
    """0 of a whole frame, whose last two bytes are its checksum."""
    crc = 0
    for byte in content:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
