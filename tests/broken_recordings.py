"""Recordings as strangers send them: broken, cut, mislabelled, absurd, or no recordings at all.

Each kind is a function that writes one; ``HOLDS`` are the seconds that can be had of those that
hold something, all others must be refused with a reason.
"""

import io
import os
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from tests.media_files import KINDS, encoded_by_ffmpeg, pictures_alone

RATE, SECONDS = 16_000, 1.0
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * SECONDS)) / RATE)).astype(np.float32)
Write = Callable[[Path], object]


def encoded(
    kind: str, subtype: str | None = None, waveform: np.ndarray = TONE, rate: int = RATE
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format=kind, subtype=subtype)
    return file.getvalue()


WAV, FLAC, OGG = encoded("WAV"), encoded("FLAC"), encoded("OGG")
OPUS, MP3 = encoded("OGG", "OPUS"), encoded("MP3")
SPHERE = encoded("NIST", "PCM_16")
M4A, AAC = encoded_by_ffmpeg("ipod", "aac", RATE), encoded_by_ffmpeg("adts", "aac", RATE)
FAST_M4A = encoded_by_ffmpeg("ipod", "aac", RATE, fast=True)
WEBM = encoded_by_ffmpeg(*KINDS["a webm of a browser"][1:])
AU, CAF = encoded("AU"), encoded("CAF")
RF64, LONG_OPUS = encoded("RF64"), encoded("OGG", "OPUS", np.tile(TONE, 3))
# Tags of 200,000 bytes, as a picture takes, and of APE.
PICTURE = b"ID3\x04\0\0\0\x0c\x1a\x40" + b"\xff\xfb\x90\0" * 50_000
APE_HEAD = b"APETAGEX" + struct.pack("<IIII8x", 2_000, 64, 1, 0x8000_0000)
APE = APE_HEAD + bytes(32) + APE_HEAD
DATA = WAV.index(b"data") + 8  # where the samples begin
CAF_DATA = CAF.index(b"data") + 4  # and where a CAF file says how many bytes they are


def put(content: bytes) -> Write:
    return lambda path: path.write_bytes(content)


def part(content: bytes, share: float) -> Write:
    return put(content[: int(len(content) * share)])


def with_field(content: bytes, place: int, form: str, value: int) -> Write:
    """The file with another number in its header."""
    changed = bytearray(content)
    struct.pack_into(form, changed, place, value)
    return put(bytes(changed))


def damaged(content: bytes, begin: float, end: float) -> Write:
    first, last = int(len(content) * begin), int(len(content) * end)
    noise = np.random.default_rng(0).bytes(last - first)
    return put(content[:first] + noise + content[last:])


def without_xing(content: bytes) -> bytes:
    """An MP3 file as it is when it is streamed: without the first frame, which tells its length."""
    begin = content.index(b"\xff", 1 + content.index(b"\xff"))
    while content[begin + 1] & 0xE0 != 0xE0 or content[begin + 2] != content[2]:
        begin = content.index(b"\xff", begin + 1)
    return content[begin:]


def without_page(content: bytes) -> bytes:
    """An Ogg file without one of the pages within it."""
    begins = [found.start() for found in re.finditer(b"OggS", content)]
    return content[: begins[3]] + content[begins[4] :]


def flac_with_length(samples: int) -> Write:
    """A FLAC file whose header says another number of samples; 0 stands for an unknown one."""
    changed = bytearray(FLAC)
    low = struct.unpack_from(">Q", changed, 18)[0]
    struct.pack_into(">Q", changed, 18, low >> 36 << 36 | samples)
    return put(bytes(changed))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)
        try:  # by way of the folder: the name of a socket may have 107 bytes
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


NOT_A_NUMBER = np.where(np.arange(len(TONE)) == 100, np.nan, TONE)
BOTH_WAYS = np.stack([TONE, -TONE], axis=1)
INFINITE = np.where(np.arange(len(TONE)) == 100, np.inf, TONE)

# What cannot be used, whatever is done with it.
UNUSABLE: dict[str, tuple[str, Write]] = {
    "nothing there": (".wav", lambda path: None),
    "a folder": (".wav", lambda path: path.mkdir()),
    "a pipe": (".wav", os.mkfifo),
    "a socket": (".wav", make_socket),
    "a device without end": (".wav", lambda path: path.symlink_to("/dev/zero")),
    "a link to nothing": (".wav", lambda path: path.symlink_to("nowhere.wav")),
    "a link to itself": (".wav", lambda path: path.symlink_to(path.name)),
    "no bytes": (".wav", put(b"")),
    "one byte": (".mp3", put(b"\xff")),
    "text": (".wav", put(b"This is a letter, whatever its name says.\n")),
    "a page": (".mp3", put(b"<html><body>Please log in</body></html>")),
    "zeros": (".flac", put(bytes(10_000))),
    "noise": (".ogg", put(np.random.default_rng(0).bytes(10_000))),
    "an archive": (".wav", put(b"PK\x03\x04" + bytes(100))),
    "a pointer of git lfs": (".flac", put(b"version https://git-lfs.github.com/spec/v1\n")),
    "raw samples": (".raw", put(TONE.tobytes())),
    "a header alone": (".wav", put(WAV[:DATA])),
    "half a header": (".wav", put(WAV[: DATA // 2])),
    "a wav of no samples": (".wav", put(encoded("WAV", None, TONE[:0]))),
    "a wav of no channels": (".wav", with_field(WAV, 22, "<H", 0)),
    "a wav of 65535 channels": (".wav", with_field(WAV, 22, "<H", 65_535)),
    "a wav of 0 Hz": (".wav", with_field(WAV, 24, "<I", 0)),
    "a wav of 1 Hz": (".wav", with_field(WAV, 24, "<I", 1)),
    "a wav of 4 GHz": (".wav", with_field(WAV, 24, "<I", 2**32 - 1)),
    "a wav of an unknown codec": (".wav", with_field(WAV, 20, "<H", 0x2222)),
    "a wav with a chunk of 4 GB": (".wav", with_field(WAV, 16, "<I", 2**32 - 16)),
    "samples that are no numbers": (".wav", put(encoded("WAV", "FLOAT", NOT_A_NUMBER))),
    "samples that are infinite": (".wav", put(encoded("WAV", "DOUBLE", INFINITE))),
    "floats beyond all measure": (".wav", put(encoded("WAV", "FLOAT", 32_768 * TONE))),
    "an opus without a page": (".opus", put(without_page(LONG_OPUS))),
    "a flac without a header": (".flac", put(b"fLaC" + FLAC[42:])),
    "half a flac": (".flac", part(FLAC, 0.5)),
    "a flac of 2^35 samples": (".flac", flac_with_length(2**35)),
    "a flac cut within its last frame": (".flac", put(FLAC[:-100])),
    "a damaged flac": (".flac", damaged(FLAC, 0.2, 0.8)),
    "half an mp3": (".mp3", part(MP3, 0.5)),
    "two mp3 of different rates": (".mp3", put(MP3 + encoded("MP3", None, TONE, 44_100))),
    "two mp3 of one and two channels": (".mp3", put(MP3 + encoded("MP3", None, BOTH_WAYS))),
    "half an ogg page": (".ogg", part(OGG, 0.1)),
    "an ogg without sound": (".ogg", put(OGG[:58])),
    "an mp3 of tags alone": (".mp3", put(b"ID3\x04\0\0\0\0\x02\x01" + bytes(257))),
    "an mp3 with a tag beyond its end": (".mp3", put(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(50))),
    "a sphere without its fields": (".sph", put(b"NIST_1A\n   1024\n".ljust(1_024) + bytes(99))),
    "a sphere packed by shorten": (
        ".sph",
        put(SPHERE.replace(b"-s3 pcm", b"-s31 pcm,embedded-shorten-v2.00", 1)),
    ),
    "a sphere with a header beyond its end": (".sph", put(b"NIST_1A\n999999999\n" + SPHERE[18:])),
    "half an m4a": (".m4a", part(M4A, 0.5)),
    "a damaged m4a": (".m4a", damaged(M4A, 0.3, 0.6)),
    "an m4a without sound": (".mp4", put(pictures_alone())),
    "a playlist by the name of an m4a": (".m4a", put(b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n")),
    "a list of files by the name of a webm": (".webm", put(b"ffconcat version 1.0\nfile a.wav\n")),
    "the beginning of an m4a": (".m4a", put(b"\0\0\0\x18ftypM4A " + bytes(500))),
    "the beginning of a webm": (".webm", put(b"\x1a\x45\xdf\xa3" + bytes(500))),
    "an amr of no frames": (".amr", put(b"#!AMR\n")),
    "an aiff cut in its header": (".aiff", part(encoded("AIFF"), 0.001)),
}
# What holds something, but not what it says: the seconds that it holds.
DOUBTFUL: dict[str, tuple[str, Write, float]] = {
    "a third of a wav": (".wav", part(WAV, 1 / 3), 0.33),
    "a wav that says a quarter": (".wav", with_field(WAV, DATA - 4, "<I", len(TONE) // 2), 1.0),
    "a wav of a recorder that crashed": (".wav", with_field(WAV, DATA - 4, "<I", 0), 1.0),
    "half a sphere": (".sph", part(SPHERE, 0.5), 0.48),
    "half an aiff": (".aiff", part(encoded("AIFF"), 0.5), 0.5),
    "half an au": (".au", part(encoded("AU"), 0.5), 0.5),
    "half an opus": (".opus", part(encoded("OGG", "OPUS", np.tile(TONE, 3)), 0.6), 1.0),
    "two opus joined": (".opus", put(OPUS + OPUS), 2.0),
    "two ogg joined": (".ogg", put(OGG + OGG), 2.0),
    "two thirds of an m4a": (".m4a", part(FAST_M4A, 0.67), 0.55),
    "two flac joined": (".flac", put(FLAC + FLAC), 2.0),
    "a flac that says a quarter": (".flac", flac_with_length(len(TONE) // 4), 1.0),
    "an rf64 of a recorder that crashed": (".wav", put(RF64[:28] + bytes(16) + RF64[44:]), 1.0),
    "two wav joined": (".wav", put(WAV + WAV), 2.0),
    "half a wav that says 2 GB a second": (
        ".wav",
        put(WAV[:28] + b"\0\0\0\x80" + WAV[32 : len(WAV) // 2]),
        0.5,
    ),
    "an au of a recorder that crashed": (".au", with_field(AU, 8, ">I", 0), 1.0),
    "an au that says a quarter": (".au", with_field(AU, 8, ">I", len(TONE) // 2), 1.0),
    "a caf that says a quarter": (".caf", with_field(CAF, CAF_DATA, ">q", len(TONE) // 2), 1.0),
    "half a caf": (".caf", part(CAF, 0.5), 0.44),
    "two ogg with zeros between": (".ogg", put(OGG + bytes(20_000) + OGG), 2.0),
    "an ogg cut within its last page": (
        ".ogg",
        put(encoded("OGG", None, np.tile(TONE, 10))[:-3_000]),
        5.1,
    ),
    "two webm joined": (".webm", put(WEBM + WEBM), 2.0),
    "an mp3 followed by a wav": (".mp3", put(MP3 + WAV), 1.0),
    "an mp3 followed by noise": (
        ".mp3",
        put(MP3 + np.random.default_rng(0).bytes(70_000)),
        1.0,
    ),
    "an ogg followed by a flac": (".ogg", put(OGG + FLAC), 1.0),
    "two mp3 with a picture between": (".mp3", put(MP3 + PICTURE + MP3), 2.1),
    "two mp3 joined": (".mp3", put(MP3 + MP3), 2.1),
}
# What is odd, and sound.
SOUND: dict[str, tuple[str, Write, float]] = {
    "a wav": (".wav", put(WAV), 1.0),
    "a wav that was streamed": (".wav", with_field(WAV, DATA - 4, "<I", 2**32 - 1), 1.0),
    "a wav with notes at its end": (".wav", put(WAV + b"LIST\x04\0\0\0INFO"), 1.0),
    "a wav with zeros at its end": (".wav", put(WAV + bytes(2_000)), 1.0),
    "a wav by the name of an mp3": (".mp3", put(WAV), 1.0),
    "an mp3 by the name of a wav": (".wav", put(MP3), 1.0),
    "a wav of gsm": (".wav", put(encoded("WAV", "GSM610", TONE, 8_000)), 2.0),
    "a wav of 24 bits": (".wav", put(encoded("WAV", "PCM_24")), 1.0),
    "a caf that was streamed": (".caf", with_field(CAF, CAF_DATA, ">q", -1), 1.0),
    "a flac of unknown length": (".flac", flac_with_length(0), 1.0),
    "an mp3 that was streamed": (".mp3", put(without_xing(MP3)), 1.0),
    "an mp3 with a tag": (".mp3", put(b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + MP3), 1.0),
    "two streamed mp3 with a tag between": (
        ".mp3",
        lambda path: path.write_bytes(without_xing(MP3) + PICTURE + without_xing(MP3)),
        2.05,
    ),
    "an mp3 with tags of APE": (".mp3", put(APE + MP3 + APE + b"TAG" + bytes(125)), 1.0),
    "an ogg of flac": (".ogg", put(encoded_by_ffmpeg("ogg", "flac", RATE)), 1.0),
    "a stereo wav that cancels": (
        ".wav",
        put(encoded("WAV", None, np.stack([TONE, -TONE], 1))),
        1.0,
    ),
    "an m4a by the name of an mp3": (".mp3", put(M4A), 1.0),
    "an aac with a tag": (".aac", put(b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + AAC), 1.0),
    "an upper-case suffix": (".WAV", put(WAV), 1.0),
    "a name of other letters": (" ж [1] #2 %20 ?*.wav", put(WAV), 1.0),
}
SOUND |= {
    name: (suffix, put(encoded_by_ffmpeg(*how)), 1.0) for name, (suffix, *how) in KINDS.items()
}
HOLDS = {name: seconds for name, (_, _, seconds) in (DOUBTFUL | SOUND).items()}


def write_all(folder: Path) -> dict[str, Path]:
    """Write a recording of every kind into a folder; returns where each is."""
    paths = {}
    for number, (name, (suffix, write, *_)) in enumerate((UNUSABLE | DOUBTFUL | SOUND).items()):
        paths[name] = folder / f"{number}{suffix}"
        write(paths[name])
    return paths
