"""What a packed file would take of memory, and whether it is as it was written, asked before it is
loaded.

That of ``torch.save`` is a zip archive of a pickle and of the bytes of each tensor, as they are.
One whose parts claim to be larger than the file, or whose pickle makes something of a size that
it only names, takes any amount of memory, though it has a few bytes.
"""

import gzip
import os
import re
import zipfile
from pathlib import Path
from typing import BinaryIO

# Of what PyTorch lets a pickle call, that which takes a size and makes as much: no checkpoint
# needs it. Pickles name what they call in these very bytes.
MADE_BY_SIZE = re.compile(
    rb"c(?:builtins|__builtin__)\nbytearray\n|ctorch(?:\.\w+)*\n(?:\w*Tensor|UntypedStorage)\n"
)
# What gzip unpacks is at most so many times as large: weights pack badly, and texts by ten or so.
MOST_PACKED, FREELY = 50, 2**20
BLOCK = 2**20  # bytes


def most_unpacked(file: Path, times: int = MOST_PACKED) -> int:
    """How many bytes a packed file may become: so many ``times`` its own, and a few freely."""
    return times * file.stat().st_size + FREELY


def growth_of(file: Path) -> str | None:
    """Why a file of gzip is made to fill a memory or a disk; None where it is not. Raises
    ``OSError``, ``EOFError`` and ``zlib.error`` for what is no such file."""
    size, most = 0, most_unpacked(file)
    with gzip.open(file) as unpacked:
        while block := unpacked.read(BLOCK):
            size += len(block)
            if size > most:
                return f"is more than {MOST_PACKED} times as large once it is unpacked"
    return None


def excess_of(file: BinaryIO) -> str | None:
    """Why a file of ``torch.save`` would take more memory than it has bytes; None where it would
    not. Raises ``zipfile.BadZipFile`` where it is no such file."""
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            size_stated = sum(part.file_size for part in parts)
            if size_stated > size:
                return f"its parts claim {size_stated:,} bytes, and the file has {size:,}"
            for part in parts:
                if part.filename.endswith(".pkl") and MADE_BY_SIZE.search(archive.read(part)):
                    return "it asks for memory by size, as no checkpoint does"
    except (ValueError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise zipfile.BadZipFile(str(error)) from error  # what zipfile says of an odd archive
    finally:
        file.seek(0)
    return None


def damaged_part(file: BinaryIO) -> str | None:
    """The first part of a file of ``torch.save`` whose bytes are not those that were written; None
    where all are. PyTorch itself reads weights without a look at their checksums."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip()
    finally:
        file.seek(0)
