"""N-gram language models in ARPA format: opened, and held against the tokenizer."""

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import kenlm

from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

SPECIAL = {"<s>", "</s>", "<unk>"}
# A model of whose words fewer can be spelt is one of another language, or of other units.
LEAST_SPELT = 0.5
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
            "%s: %d of %d words cannot be spelt by the labels of the tokenizer (%s): never heard",
            path,
            len(words) - len(spelt),
            len(words),
            _few(words - set(spelt)),
        )
    return _load(path, path.stat().st_mtime_ns), spelt


def spellable(words: Iterable[str], tokenizer: Tokenizer) -> list[str]:
    """Those words, sorted, for each character (or phone) of which there is a label."""
    return sorted(word for word in words if not tokenizer.unknown(word))


def read_vocabulary(path: Path) -> set[str]:
    """The words of an ARPA file that is whole, but for <s>, </s> and <unk>."""
    try:
        with path.open(encoding="utf-8") as file:
            words = set(_unigrams(file))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: not an ARPA file, which is text in UTF-8; if this is what build_binary "
            f"wrote, give the file that it was made from: {ANOTHER}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {ANOTHER}") from error
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        if not file.read().rstrip().endswith(b"\\end\\"):
            raise ValueError(f"{path}: truncated, it has no \\end\\; make it again, or {ANOTHER}")
    if not words:
        raise ValueError(f"{path}: it has no words but <s>, </s> and <unk>; {ANOTHER}")
    return words


def _unigrams(lines: Iterator[str]) -> Iterator[str]:
    if next((line for line in lines if line.strip()), "").strip() != "\\data\\":
        raise ValueError("not an ARPA file, which begins with \\data\\")
    count = None
    for line in lines:
        if line.startswith("ngram 1="):
            count = int(line.removeprefix("ngram 1="))
        elif line.startswith("\\1-grams:"):
            break
    else:
        raise ValueError("truncated before its 1-grams")
    for _ in range(count or 0):
        fields = next(lines, "").split()
        if len(fields) < 2:
            raise ValueError(f"truncated within its {count} 1-grams")
        if fields[1] not in SPECIAL:
            yield fields[1]


@lru_cache(maxsize=1)  # where a decoder is made again with other weights, the model stays
def _load(path: Path, modified: int) -> kenlm.Model:
    # KenLM needs about as much memory as the text has bytes, and would end without a word.
    needed, free = path.stat().st_size, free_memory()
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
