"""What stands in a file after its sound: tags of players, zeros, or a recording of another kind.

Sources: ID3v2.4.0, 3.1; "APE Tags Header" of the Hydrogenaudio wiki.
"""

import re

# How recordings begin, by more bytes than stand anywhere by chance.
RECORDING = re.compile(
    rb"RIFF[\s\S]{4}WAVE|fLaC[\x00\x80]\x00\x00\x22|OggS\x00[\x02\x06]\x00{8}"
    rb"|\x00[\s\S]{3}ftyp[ -~]{4}|FORM[\s\S]{4}AIF|NIST_1A\n|\x1a\x45\xdf\xa3[\s\S]{4,40}webm|#!AMR"
)
MOST = 65_536  # bytes of odd tags


def after_tags(content: bytes, place: int = 0) -> int:
    """Where tags of ID3 and APE end that begin at a place; that place, where none does."""
    while True:
        head = content[place : place + 32]
        if head[:3] == b"ID3" and len(head) >= 10:
            shifts = zip(head[6:10], (21, 14, 7, 0), strict=True)
            place += 10 + sum((byte & 0x7F) << shift for byte, shift in shifts)
            place += 10 if head[5] & 0x10 else 0  # a footer
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            has_header = head[23] & 0x80
            place += 32 + (int.from_bytes(head[12:16], "little") if has_header else 0)
        elif head[:3] == b"TAG" and len(content) - place >= 128:
            place += 128
        else:
            return place


def doubt_after(content: bytes, place: int) -> str | None:
    """Why what stands after the sound, which ends at a place, may be a part of the recording."""
    rest = content[after_tags(content, place) :].strip(b"\0")
    if RECORDING.search(rest):
        return "is followed by a recording of another kind in the same file, which is not read"
    if len(rest) > MOST:
        return f"is followed by {len(rest):,} bytes in the same file that are no sound"
    return None
