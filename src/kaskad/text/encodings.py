"""Which encoding a text that is not UTF-8 is most likely in."""

import codecs
import re

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# From the most frequent letter of Russian to the rarest, those of Ukrainian after them.
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґ"
_WESTERN = set("äöüßéèêëàâáãåæçíìîïñóòôõøúùûœ«»–—’“”„…")
_CENTRAL = set("ąćęłńóśźżáčďéěíňřšťúůýžőűöüäß")
_OF_CYRILLIC = ("cp1251", "koi8-r", "cp866", "mac-cyrillic")
_OF_LATIN = {"cp1252": _WESTERN, "cp1250": _CENTRAL}
_MOST = 100_000  # bytes that are looked at


def guess_encoding(content: bytes) -> str:
    """Return the encoding of a text that is not UTF-8, as iconv and Python call it.

    UTF-16 and UTF-32 are known for certain by their mark or by their zeros; among the encodings of
    one byte a letter, the one in which the words are the most like words.
    """
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return name
    content = content[:_MOST]
    even, odd = content[::2].count(0), content[1::2].count(0)
    if even + odd > len(content) // 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    foreign = [word for word in re.split(rb"[\x00-\x40\x5b-\x60\x7b-\x7f]+", content) if word]
    foreign = [word for word in foreign if any(byte > 0x7F for byte in word)]
    scores = {name: sum(map(_like_cyrillic, _words(foreign, name))) for name in _OF_CYRILLIC}
    for name, letters in _OF_LATIN.items():
        scores[name] = sum(_like_latin(word, letters) for word in _words(foreign, name))
    return max(scores, key=lambda name: scores[name])


def _words(words: list[bytes], encoding: str) -> list[str]:
    return [word.decode(encoding, errors="replace") for word in words]


def _like_cyrillic(word: str) -> float:
    """Up to 1 a letter: frequent letters, all of them Cyrillic, with no capitals within the word.

    What is KOI8-R has its capitals where CP1251 has small letters, and the other way round.
    """
    if not word.isupper() and word[1:] != word[1:].lower():
        return -float(len(word))
    ranks = [_CYRILLIC.find(letter) for letter in word.lower()]
    return sum(1 - rank / len(_CYRILLIC) if rank >= 0 else -1.0 for rank in ranks)


def _like_latin(word: str, letters: set[str]) -> float:
    """Up to 1 a letter beyond ASCII: one of a language's, in a word that has others, too."""
    foreign = [letter for letter in word if not letter.isascii()]
    fits = all(letter.lower() in letters for letter in foreign)
    return float(len(foreign)) if fits and len(foreign) <= len(word) / 2 else -float(len(foreign))
