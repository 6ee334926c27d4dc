"""AU of Sun and CAF of Apple, where the header does not say how long the recording is.

Sources: Sun's audio(7) for AU; "Apple Core Audio Format Specification 1.0" for CAF.
"""

import os
import re
import struct
from typing import BinaryIO

from kaskad.audio.files import differing

UNKNOWN = 0xFFFF_FFFF  # what AU says where a program streams
SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # by the encodings of AU
SPOKEN = 0.02  # seconds
ZEROS = 4_096  # bytes at the end that pad a file, where all are zero
MOST_CHUNKS = 10_000


def with_true_length(file: BinaryIO, magic: bytes) -> tuple[str | None, bytes] | None:
    """Why a header is doubted, and the file with the true length in its header; None where it needs
    no other."""
    size = file.seek(0, os.SEEK_END)
    found = _au(file, size) if magic == b".snd" else _caf(file, size)
    if found is None:
        return None
    place, field, stated, there, bytes_a_second = found
    doubt = None if stated < 0 else differing(stated / bytes_a_second, there / bytes_a_second)
    file.seek(0)
    whole = bytearray(file.read(size))
    struct.pack_into(field, whole, place, there)
    return doubt, bytes(whole)


# Where the length stands and how, what it says in bytes, what it should, and bytes a second.
_Length = tuple[int, str, int, int, float]


def _au(file: BinaryIO, size: int) -> _Length | None:
    file.seek(0)
    head = file.read(24)
    if len(head) < 24:
        return None
    _, begin, stated, encoding, rate, channels = struct.unpack(">4s5I", head)
    bytes_a_second = SAMPLE_BYTES.get(encoding, 0) * rate * channels
    there = size - begin
    if not bytes_a_second or stated == UNKNOWN or there <= stated + SPOKEN * bytes_a_second:
        return None  # of too little, libsndfile says so itself
    file.seek(begin + stated)
    return (8, ">I", stated, there, bytes_a_second) if any(file.read(ZEROS)) else None


def _caf(file: BinaryIO, size: int) -> _Length | None:
    place, bytes_a_second = 8, 0.0
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(12)
        if len(head) < 12:
            return None
        name, length = struct.unpack(">4sq", head)
        if name == b"data":
            break
        if name == b"desc":
            described = file.read(32).ljust(32, b"\0")
            rate, _, _, size_of, frames, _, _ = struct.unpack(">d4s5I", described)
            bytes_a_second = rate * size_of / frames if frames and 0 < rate < 1e7 else 0.0
        if length < 0:
            return None
        place += 12 + length
    there = size - place - 12
    least = SPOKEN * bytes_a_second
    if not bytes_a_second or (length >= 0 and abs(length - there) <= least):
        return None
    if 0 <= length < there:
        file.seek(place + 12 + length)
        after = file.read(ZEROS)
        if re.match(rb"[ -~]{4}\0\0", after) or not any(after):  # another chunk, or none
            return None
    return place + 4, ">q", length, there, bytes_a_second
