"""N-gram language models as KenLM reads them: opened, and held against the tokenizer."""

import gzip
import logging
import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TextIO

import kenlm

from kaskad.ngrams.sentences import LEAST_SPELT
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

SPECIAL = {"<s>", "</s>", "<unk>", "<UNK>"}
DATA = "\\data\\"  # begins an ARPA file
BINARY = b"mmap lm http://kheafield.com/code"  # begins what build_binary writes
PACKED = b"\x1f\x8b"  # begins what gzip writes
# Bytes of a text that one of gzip becomes, about.
UNPACKED = 5
ANOTHER = "give another (decoder=beam decoder.language_model=…), or null for none"


def open_language_model(path: str | Path, tokenizer: Tokenizer) -> tuple[kenlm.Model, list[str]]:
    """Return the model of an ARPA file and those of its words that ``tokenizer`` can spell.

    Raises ``FileNotFoundError`` and ``ValueError`` where there is no such file, it is no whole
    ARPA file, has no words, or mostly words that the labels of the tokenizer cannot spell;
    ``MemoryError`` where it would not fit into what is free.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such language model; {ANOTHER}")
    words = read_vocabulary(path)
    spelt = spellable(words, tokenizer)
    if len(spelt) < LEAST_SPELT * len(words):
        raise ValueError(
            f"{path}: of its {len(words)} words only {len(spelt)} can be spelt by the labels of "
            f"the tokenizer ({_few(words - set(spelt))} cannot): a model of another language, or "
            f"of other units; {ANOTHER}"
        )
    if len(spelt) < len(words):
        log.warning(
            "%s: %d of %d words cannot be spelt by the labels of the tokenizer (%s) and will never "
            "be recognised",
            path,
            len(words) - len(spelt),
            len(words),
            _few(words - set(spelt)),
        )
    return _load(path, path.stat().st_mtime_ns), spelt


def spellable(words: Iterable[str], tokenizer: Tokenizer) -> list[str]:
    """Those words, sorted, for each character (or phone) of which there is a label."""
    return sorted(word for word in words if not tokenizer.unknown(word))


def is_language_model(path: Path) -> bool:
    """Whether a file begins as an ARPA file, which may be packed by gzip, or as one of KenLM's."""
    if _is_binary(path):
        return True
    with _opened(path) as file, suppress(UnicodeDecodeError, OSError):
        return _first_line(file) == DATA
    return False


def read_vocabulary(path: Path) -> set[str]:
    """The words of a whole model, but for <s>, </s> and <unk>: in ARPA, as KenLM reads it, packed
    by gzip or not, or in the binary format of KenLM's build_binary."""
    if _is_binary(path):
        return _binary_words(path)
    try:
        with _opened(path) as file:
            words = set(_unigrams(file))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not an ARPA file, which is text in UTF-8: {ANOTHER}") from error
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: {error}; {ANOTHER}") from error
    if not _is_packed(path):
        with path.open("rb") as tail:
            tail.seek(max(0, path.stat().st_size - 64))
            if not tail.read().rstrip().endswith(b"\\end\\"):
                raise ValueError(
                    f"{path}: truncated, it has no \\end\\; make it again, or {ANOTHER}"
                )
    if not words:
        raise ValueError(f"{path}: it has no words but <s>, </s> and <unk>; {ANOTHER}")
    return words


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(BINARY)) == BINARY


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(PACKED)) == PACKED


def _opened(path: Path) -> TextIO:
    # KenLM breaks lines at \n alone.
    how: dict[str, str] = {"encoding": "utf-8", "newline": "\n"}
    return gzip.open(path, "rt", **how) if _is_packed(path) else path.open(**how)  # type: ignore


def _binary_words(path: Path) -> set[str]:
    """The words that build_binary writes at the end of its file, as it does unless told not to."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.rfind(b"\0<unk>\0") + 1
        words = content[start:].split(b"\0") if start else []
    try:
        found = {word.decode() for word in words} - SPECIAL - {""}
    except UnicodeDecodeError:
        found = set()
    if not found:
        raise ValueError(
            f"{path}: its words are not in it: give the ARPA file that build_binary made it from, "
            f"or {ANOTHER}"
        )
    return found


def _first_line(lines: Iterable[str]) -> str:
    """The first line that is neither empty nor a comment, without the blanks at its end."""
    return next((line.rstrip() for line in lines if line.strip() and line[0] != "#"), "")


def _unigrams(lines: Iterator[str]) -> Iterator[str]:
    if _first_line(lines) != DATA:
        raise ValueError(f"not an ARPA file, which begins with {DATA}")
    count = None
    for line in lines:
        if found := re.match(r"ngram\s+1=\s*(\d+)", line):
            count = int(found[1])
        elif line.startswith("\\1-grams:"):
            break
    else:
        raise ValueError("truncated before its 1-grams")
    rows = (fields for line in lines if (fields := re.findall(r"[^\t\n\r\0 ]+", line)))
    for _ in range(count or 0):
        fields = next(rows, [])
        if len(fields) < 2:
            raise ValueError(f"truncated within its {count} 1-grams")
        if fields[1] not in SPECIAL:
            yield fields[1]


@lru_cache(maxsize=1)  # where a decoder is made again with other weights, the model stays
def _load(path: Path, modified: int) -> kenlm.Model:
    # KenLM needs about as much memory as the text has bytes, and would end without a word.
    needed = path.stat().st_size * (UNPACKED if _is_packed(path) else 1)
    free = free_memory()
    if needed > free:
        raise MemoryError(
            f"{path}: it has {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free; "
            f"prune it or cut its vocabulary, or {ANOTHER}"
        )
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(str(path), config)
    except (OSError, RuntimeError) as error:
        reason = str(error).rpartition("Exception. ")[2]
        raise ValueError(f"{path}: KenLM cannot read it: {reason}; {ANOTHER}") from error


def free_memory() -> float:
    """Bytes that a process may still take; infinite where the system does not tell."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return float("inf")
    fields = dict(line.split(":") for line in table.read_text().splitlines())
    return 1024 * float(fields["MemAvailable"].split()[0])


def _few(words: set[str]) -> str:
    shown = sorted(words)[:3]
    return ", ".join(map(repr, shown)) + (", …" if len(words) > len(shown) else "")
