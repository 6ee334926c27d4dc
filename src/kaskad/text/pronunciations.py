"""Pronunciation dictionaries: words and their phones, as people keep them in text files.

A pronunciation is written as its phones between single blanks: ``HH AH0 L OW1``.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from kaskad.text.encodings import guess_encoding
from kaskad.text.folding import without_stress_marks

WORD = ("word", "text", "spelling", "grapheme", "graphemes")
PHONES = ("pronunciation", "pron", "phones", "phone", "phonemes", "phoneme", "ipa")
SPLIT = ("split",)
SHOWN = 5
_VARIANT = re.compile(r"\(\d+\)$")  # read(2), of CMUdict: another pronunciation of read
_COMMENT = re.compile(r"\s#\s.*$")  # of CMUdict, too
_ARPABET_STRESS = {"0": "", "1": "ˈ", "2": "ˌ"}
_STRESSES = re.compile(r"[ˈˌ]|(?<=[A-Z])[012]$")
# The phones of CMUdict in IPA; what is of two letters is tied: one phone.
_ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "a͡ʊ", "AX": "ə", "AY": "a͡ɪ", "EH": "ɛ",
    "ER": "ɝ", "EY": "e͡ɪ", "IH": "ɪ", "IY": "i", "OW": "o͡ʊ", "OY": "ɔ͡ɪ", "UH": "ʊ", "UW": "u",
    "B": "b", "CH": "t͡ʃ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "d͡ʒ",
    "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip


class DictionaryError(ValueError):
    """A dictionary that cannot be read or used: says which file and line, and what to do."""


class Entry(NamedTuple):
    """A row of a dictionary; ``problem`` says why it is of no use, "" where it is."""

    line: int
    word: str
    phones: str
    split: str
    problem: str


class Pronunciation(NamedTuple):
    """The phones of a word between single blanks, and how probable they are."""

    phones: str
    probability: float


@runtime_checkable
class Pronouncer(Protocol):
    """A model that pronounces words it has never seen."""

    def pronounce(self, words: Sequence[str], n_best: int = 1) -> list[list[Pronunciation]]:
        """The likeliest pronunciations of each word, the best first.

        Raises ``ValueError`` for words with letters that it does not know.
        """


def read_dictionary(path: Path) -> list[Entry]:
    """Read a dictionary, a word and its phones a line; several lines are several pronunciations.

    The cells are parted by tabs (.tsv), commas (.csv) or the first blank (all else, as CMUdict and
    Kaldi write them); phones by blanks. A header may name the columns ``word``, ``pronunciation``
    and ``split``. Words become lower case. Rows of no use are returned with their ``problem``.
    Raises ``DictionaryError`` for what is no dictionary, such as a list of words alone.
    """
    entries: list[Entry] = []
    first_lines: dict[tuple[str, str], int] = {}
    for line, word, phones, split in _rows(path):
        word, phones = fold_word(_VARIANT.sub("", word)), " ".join(phones.split())
        problem = _problem(word, phones)
        if not problem:
            first = first_lines.setdefault((word, phones), line)
            problem = "a repeated row" if first != line else ""
        entries.append(Entry(line, word, phones, split, problem))
    if not entries:
        raise DictionaryError(f"{path}: there is no word in it")
    if not any(entry.phones for entry in entries):
        raise DictionaryError(
            f"{path}: no row has a pronunciation (the first: line {entries[0].line}, "
            f"{entries[0].word!r}); each row is a word, a tab and its phones with blanks between "
            "them. data=espeak_pronunciations makes a dictionary of words alone"
        )
    if not any(" " in entry.phones for entry in entries):
        raise DictionaryError(
            f"{path}: no pronunciation has a blank in it (the first: {entries[0].phones!r}): part "
            "the phones by blanks, as in HH AH0 L OW1"
        )
    return entries


def without_stress(phones: str) -> str:
    """Phones without stress marks: those of IPA, and the digits of CMUdict."""
    return " ".join(_STRESSES.sub("", phone) for phone in phones.split())


def as_ipa(phones: str) -> str:
    """Phones in the way that ``PhonemeTokenizer`` writes those of a word: IPA without blanks, what
    is one phone of several letters tied. Those of CMUdict become IPA."""
    return "".join(map(_as_ipa, phones.split()))


def _as_ipa(phone: str) -> str:
    plain = _STRESSES.sub("", phone)
    if phone.isascii() and plain in _ARPABET:
        stress = _ARPABET_STRESS.get(phone[-1], "")
        return "ə" if phone == "AH0" else stress + _ARPABET[plain]
    stress = "".join(mark for mark in phone if mark in "ˈˌ")[:1]
    letters: list[str] = []
    for letter in plain.replace("\u0361", ""):
        is_sign = unicodedata.category(letter) in ("Mn", "Lm", "Sk") and letters
        letters[-1:] = [letters[-1] + letter] if is_sign else [*letters[-1:], letter]
    return stress + "\u0361".join(letters)


class Pronunciations:
    """The pronunciation of words, from dictionaries and models, the first that knows a word.

    Each of ``sources`` is a dictionary (``read_dictionary``), or a checkpoint or run folder of
    ``model=g2p``; it is opened when a word is asked for that those before it do not know, so that
    a recogniser that only transcribes needs none.
    """

    def __init__(self, sources: Sequence[str | Path]) -> None:
        self.sources = [Path(source) for source in sources]
        self._opened: list[Mapping[str, str] | Pronouncer] = []
        self._known: dict[str, str] = {}

    def __call__(self, words: Sequence[str]) -> dict[str, str]:
        """Each word in IPA, as ``as_ipa`` writes it. Raises ``ValueError`` naming the words that
        no source knows."""
        left = [word for word in dict.fromkeys(words) if word not in self._known]
        for place, path in enumerate(self.sources):
            if not left:
                break
            if place == len(self._opened):
                self._opened.append(_open(path))
            source = self._opened[place]
            if isinstance(source, Mapping):
                found = {word: source[word] for word in left if word in source}
            else:
                candidates = source.pronounce(left)
                found = {word: best[0].phones for word, best in zip(left, candidates, strict=True)}
            self._known |= {word: as_ipa(phones) for word, phones in found.items()}
            left = [word for word in left if word not in found]
        if left:
            shown = ", ".join(left[:SHOWN]) + (", …" if len(left) > SHOWN else "")
            raise ValueError(
                f"tokenizer.pronunciations: {len(left)} words are not in "
                f"{', '.join(map(str, self.sources))}: {shown}; add them there, or name a model "
                "after the dictionary, as python train.py model=g2p data=pronunciations makes one: "
                "'tokenizer.pronunciations=[dictionary.tsv,runs/g2p_pronunciations]'"
            )
        return self._known


def _open(source: Path) -> Mapping[str, str] | Pronouncer:
    if source.is_file() and source.suffix not in (".ckpt", ".safetensors"):
        found: dict[str, str] = {}
        for entry in read_dictionary(source):
            if not entry.problem:
                found.setdefault(entry.word, entry.phones)
        return found
    # Only where a model is named, for this is heavy.
    from kaskad.runs.checkpoints import find_checkpoint
    from kaskad.runs.trusted_parts import load_model

    model, _ = load_model(find_checkpoint(source))
    if not isinstance(model, Pronouncer):
        raise ValueError(
            f"tokenizer.pronunciations={source}: a {type(model).__name__}, which does not "
            "pronounce words; one that does comes of python train.py model=g2p "
            "data=pronunciations data.path=…"
        )
    return model


def _problem(word: str, phones: str) -> str:
    if not word:
        return "an empty word"
    if not phones:
        return "no pronunciation"
    if any(letter.isdigit() for letter in word):
        return "a digit in the word"
    if not any(letter.isalpha() for letter in word):
        return "a word without letters"
    if any(not (each.isalpha() or unicodedata.combining(each) or each in "'-") for each in word):
        return "a blank or a sign in the word"
    return ""


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, word, phones and split of each row that is not empty or a comment."""
    mark = {".tsv": "\t", ".csv": ","}.get(path.suffix.lower())
    lines = _lines(path)
    if mark is None and any("\t" in line for line in lines[:SHOWN]):
        mark = "\t"
    columns: list[int | None] = [0, 1, None]
    begun = False
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(";;;"):
            continue
        if mark is None:
            cells = _COMMENT.sub("", line).split(maxsplit=1)
        else:
            cells = next(csv.reader([line], delimiter=mark))
        if not begun:
            begun = True
            names = [cell.strip().lower() for cell in cells]
            if any(name in WORD for name in names) and any(name in PHONES for name in names):
                columns = [_place(names, known) for known in (WORD, PHONES, SPLIT)]
                continue
            if len(names) == 1 and names[0] in WORD:
                continue  # a header over words alone, which the caller refuses
        word, phones, split = (
            cells[place].strip() if place is not None and place < len(cells) else ""
            for place in columns
        )
        yield number, word, phones, split


def _place(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((place for place, name in enumerate(names) if name in known), None)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DictionaryError(f"{path}: there is no such dictionary")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        encoding = guess_encoding(content[error.start :])
        raise DictionaryError(
            f"{path}: line {line} is not UTF-8 (it looks like {encoding.upper()}); convert it: "
            f"iconv -f {encoding} -t utf-8 '{path.name}' > converted"
        ) from error
    if "\0" in text:
        raise DictionaryError(f"{path}: is no text: there are zeros in it")
    return text.splitlines()


def fold_word(word: str) -> str:
    """A word as dictionaries are searched for it: lower case, NFC, without stress marks."""
    (bare,) = without_stress_marks([word])
    return unicodedata.normalize("NFC", bare).strip().lower().replace("’", "'")
