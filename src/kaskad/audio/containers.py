"""What a file holds, held against what its header says of it.

Downloads break off, recorders crash before they write the length, files are joined end to end: the
header then says one thing and the bytes another, and a decoder believes the header.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from kaskad.audio import flac, mp3
from kaskad.audio.au_and_caf import with_true_length
from kaskad.audio.files import AudioError, differing
from kaskad.audio.media import IN_WAV, kind_of
from kaskad.audio.remainders import after_tags, doubt_after

UNKNOWN_SIZE = 0x7FFF_0000  # from here on: what a program writes that streams, and cannot know
MOST_CHUNKS = 10_000
BEGINNING = 8_192  # bytes by which the kind of a file is known
MP3_IN_WAV = 0x55
BY_SAMPLE = (1, 3, 6, 7, 0xFFFE)  # tags of WAV whose frames are one sample of each channel
OGG_PAGE = 27  # bytes of its header, before the lengths of its parts
SPOKEN = 0.02  # seconds: to the next frame or page, by which codecs may differ


@dataclass(frozen=True)
class Content:
    """What is found in a file.

    Attributes:
        doubt: How header and content differ; None where they agree.
        pieces: Files to decode one after another instead of it, where a decoder would not find all.
        samples: How many there are in a channel, where a decoder would only guess.
        media: The reader of FFmpeg that decodes it; None where libsndfile does.
    """

    doubt: str | None = None
    pieces: Sequence[bytes] | None = None
    samples: int | None = None
    media: str | None = None


def examine(file: BinaryIO, size: int) -> Content:
    """Hold what a file of ``size`` bytes says of its length against what it holds."""
    file.seek(0)
    magic = file.read(BEGINNING)
    if kind := kind_of(magic):
        return Content(media=kind)
    if magic[:4] in (b"RIFF", b"RF64") and magic[8:12] == b"WAVE":
        return _examine_wav(file, size)
    if magic[:4] == b"fLaC":
        return _examine_flac(file, size)
    if magic[:4] == b"OggS":
        return _examine_ogg(file, size)
    if magic[:4] in (b".snd", b"caff"):
        found = with_true_length(file, magic[:4])
        return Content() if found is None else Content(found[0], [found[1]])
    if magic[:7] == b"NIST_1A":
        return _examine_sphere(file, size)
    if magic[:3] == b"ID3" or (magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"):
        file.seek(0)
        return _examine_mp3(file.read(size))
    return Content()


def doubt_in(log: str) -> str | None:
    """What libsndfile itself found wrong with the length of a file, by its log."""
    for stated, there in re.findall(r": (\d+) \(should be (\d+)\)", log):
        if int(there) < int(stated) < UNKNOWN_SIZE:
            return f"breaks off: its header says {stated} bytes, it holds {there}"
    return None


def _examine_mp3(content: bytes) -> Content:
    if kind := kind_of(content[after_tags(content) :][:BEGINNING]):  # AAC may have such tags, too
        return Content(media=kind)
    frames = mp3.walk(content)
    if frames is None:
        return Content()
    rest = doubt_after(content, frames.end)
    if not frames.stated:
        return _without_header(content, frames, rest)
    stated = frames.stated * frames.first.samples / frames.first.sample_rate
    if frames.count > frames.stated + 1:
        doubt = differing(stated, frames.seconds)
        return _without_header(content, frames, doubt)
    if frames.count < frames.stated - 1:  # which cannot be decoded to its end, and is refused then
        return Content(differing(stated, frames.seconds))
    return Content(rest)


def _examine_flac(file: BinaryIO, size: int) -> Content:
    """Of a FLAC file that says nothing of its length, too much or too little; or that is several
    of them."""
    if flac.is_joined(file, size):
        file.seek(0)
        pieces = flac.parts(file.read(size))
        if len(pieces) > 1:
            return Content(f"is {len(pieces)} recordings joined in one file", pieces)
    length = flac.measure(file, size)
    if length is None:
        return Content("may hold something else: no frame of FLAC is found at its end")
    if length.sample_rate == 0 or length.stated == length.there:
        return Content()
    if length.stated and length.there < length.stated:  # it cannot be decoded to its end
        stated, there = (n / length.sample_rate for n in (length.stated, length.there))
        return Content(differing(stated, there))
    if length.stated and not length.is_certain:  # by bytes that only look like a frame
        return Content()
    file.seek(0)
    doubt = None
    if length.stated:
        doubt = differing(length.stated / length.sample_rate, length.there / length.sample_rate)
    return Content(doubt, [flac.with_length(file.read(size), length.there)])


def _without_header(content: bytes, frames: mp3.Frames, doubt: str | None = None) -> Content:
    if not frames.is_of_one_kind:
        raise AudioError("is recordings of several kinds, joined in one file")
    is_whole = len(frames.spans) == 1
    if frames.is_constant and is_whole and frames.stated is None:
        return Content(doubt, samples=frames.samples)  # a decoder guesses a little too much
    return Content(doubt, pieces=[mp3.with_header(content, frames)])


def _examine_wav(file: BinaryIO, size: int) -> Content:
    """Of a WAV file whose data are not as long as it says; of MP3 within one, that."""
    found = _find_data(file, size)
    if found is None:
        return Content()
    tag, bytes_a_second, begin, stated = found
    there = size - begin
    if tag in IN_WAV:
        return Content(media="wav")
    if tag == MP3_IN_WAV:
        file.seek(begin)
        content = file.read(min(stated, there))
        frames = mp3.walk(content)
        return _without_header(content, frames) if frames else Content()
    if (stated >= UNKNOWN_SIZE and stated > there) or not bytes_a_second:
        return Content()
    least = SPOKEN * bytes_a_second
    if stated > there + least:
        return Content(differing(stated / bytes_a_second, there / bytes_a_second))
    joined = begin + stated + stated % 2
    file.seek(joined)
    if stated and file.read(4) == b"RIFF":
        return _joined_wavs(file, joined, size)
    if there > stated + least and not _is_chunk(file, begin + stated + stated % 2, size):
        doubt = differing(stated / bytes_a_second, there / bytes_a_second)
        if begin + there > UNKNOWN_SIZE:
            return Content(doubt)
        file.seek(0)
        whole = bytearray(file.read(size))
        whole[:4] = b"RIFF"  # for RF64 has its sizes elsewhere
        struct.pack_into("<I", whole, 4, size - 8)
        struct.pack_into("<I", whole, begin - 4, there)
        return Content(doubt, [bytes(whole)])
    return Content()


def _joined_wavs(file: BinaryIO, begin: int, size: int) -> Content:
    """Of a WAV file that is followed by others."""
    begins = [0, begin]
    while True:
        file.seek(begins[-1] + 4)
        length = int.from_bytes(file.read(4), "little") + 8
        if not 8 < length < size - begins[-1]:
            break
        begins.append(begins[-1] + length)
    pieces = []
    for place, end in zip(begins, [*begins[1:], size], strict=True):
        file.seek(place)
        pieces.append(file.read(end - place))
    return Content(f"is {len(pieces)} recordings joined in one file", pieces)


def _find_data(file: BinaryIO, size: int) -> tuple[int, int, int, int] | None:
    """Of a WAV file the format tag, bytes a second, where its data begin and how many it says."""
    tag = bytes_a_second = 0
    large: int | None = None
    place = 12
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return None
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            stated = large if large is not None and length == 0xFFFF_FFFF else length
            return tag, bytes_a_second, place + 8, stated
        if name == b"fmt ":
            content = file.read(16).ljust(16, b"\0")
            tag, _, rate, bytes_a_second, frame = struct.unpack_from("<HHIIH", content)
            if tag in BY_SAMPLE:  # not all write what follows from the rest
                bytes_a_second = rate * frame
        elif name == b"ds64":
            content = file.read(16).ljust(16, b"\0")
            large = struct.unpack_from("<Q", content, 8)[0]
        place += 8 + length + length % 2
        if place >= size:
            return None
    return None


def _is_chunk(file: BinaryIO, place: int, size: int) -> bool:
    """Whether a chunk, a tag or mere zeros follow the data, and not more sound."""
    file.seek(max(place - 1, 0))
    before, head = file.read(1), file.read(8)
    for begin in (head, (before + head)[:8]):  # some do not pad chunks of odd length
        name, length = begin[:4], begin[4:].ljust(4, b"\0")
        is_name = re.fullmatch(rb"[ -~]{4}", name) is not None
        if name[:3] in (b"TAG", b"ID3") or (
            is_name and struct.unpack("<I", length)[0] <= size - place
        ):
            return True
    file.seek(place)
    return not any(file.read(4_096))


def _examine_sphere(file: BinaryIO, size: int) -> Content:
    """Of a NIST SPHERE file, whose header is text, by its number of samples."""
    file.seek(0)
    fields = file.read(1_024).decode("ascii", "replace").split()
    values = {name: value for name, value in zip(fields, fields[2:], strict=False)}
    if "shorten" in (coding := values.get("sample_coding", "")):
        raise AudioError(f"is packed by Shorten ({coding}): unpack it with sph2pipe -f wav")
    try:
        header = int(fields[1])
        stated, rate = int(values["sample_count"]), int(values["sample_rate"])
        frame = int(values.get("channel_count", 1)) * int(values["sample_n_bytes"])
        there = (size - header) / frame
    except (KeyError, ValueError, IndexError, ZeroDivisionError):
        return Content()
    if "pcm" not in values.get("sample_coding", "pcm") and frame > 1:
        return Content()
    if rate <= 0 or abs(stated - there) <= SPOKEN * rate:
        return Content()
    return Content(differing(stated / rate, there / rate))


def _examine_ogg(file: BinaryIO, size: int) -> Content:
    """Of an Ogg file, by its pages: several recordings that were joined are read one by one."""
    begins: list[int] = []
    ended, has_packets, missing, place = True, False, False, 0
    last: tuple[bytes, int] | None = None
    for place, flags, stream, number in _pages(file, size):
        missing = missing or (last is not None and last[0] == stream and number > last[1] + 1)
        last = stream, number
        is_first, is_last = flags & 2, flags & 4
        if is_first and (not begins or has_packets):
            begins.append(place)
            has_packets = False
        has_packets = has_packets or not is_first
        ended = bool(is_last)
    file.seek(place)
    doubt = doubt_after(file.read(size - place), OGG_PAGE)  # its content is seldom as long
    if not ended:
        doubt = "may break off: its last page is not marked as the last one"
    if missing:
        doubt = "has a gap: pages of it are missing"
    if len(begins) < 2:
        return Content(doubt)
    pieces = []
    for begin, end in zip(begins, [*begins[1:], size], strict=True):
        file.seek(begin)
        pieces.append(file.read(end - begin))
    return Content(doubt or f"is {len(pieces)} recordings joined in one file", pieces)


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes, int]]:
    """Where each page of an Ogg file begins, its flags, its stream, and its number in that."""
    place = 0
    while place + OGG_PAGE <= size:
        file.seek(place)
        head = file.read(OGG_PAGE)
        if head[:4] != b"OggS":  # damage, or what stood between files that were joined
            file.seek(place)
            skipped = file.read(BEGINNING).find(b"OggS")
            place += skipped if skipped >= 0 else BEGINNING - 3
            continue
        lengths = file.read(head[26])
        end = place + OGG_PAGE + len(lengths) + sum(lengths)
        flags = head[5] if end <= size else head[5] & ~4  # one that is cut off is not the last
        yield place, flags, head[14:18], int.from_bytes(head[18:22], "little")
        if end > size:
            return
        place = end
