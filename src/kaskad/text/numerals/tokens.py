"""A text as the words and digits that may be numbers, cut where no number goes on."""

import re
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from kaskad.text.numerals.languages import LANGUAGES
from kaskad.text.numerals.numeral import LIMIT, Language, Numeral, compose

# Marks that nobody sees, and hyphens that a word processor puts in.
UNIFIED: dict[int, str | None] = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
UNIFIED |= dict.fromkeys(map(ord, "\u2010\u2011"), "-")
STRESS = re.compile("[\u0300\u0301]|\\+(?=[^\\W\\d_])")
# From this similarity (difflib's ratio) on, a word may be a misheard numeral: "twent" has 0.91,
# "пят" 0.86, "да" (два) 0.8, but "for" (forty) 0.75, "ну" 0.67, "рублей" 0.4.
RESEMBLANCE = 0.78


class Token(NamedTuple):
    """A word, a number in digits, or a mark between words.

    ``numeral`` is what it counts; ``digits`` is a number in digits as it is written ("007", "2.5").
    """

    word: str
    numeral: Numeral | None = None
    digits: str | None = None


def plain(text: str) -> str:
    """Lower case, without stress marks, «ё», and characters that nobody sees."""
    parts = unicodedata.normalize("NFD", text.lower().translate(UNIFIED))
    return unicodedata.normalize("NFC", STRESS.sub("", parts)).replace("ё", "е")


def scan(text: str, code: str) -> Iterator[Token]:
    """Read ``text`` in the language ``code``; a hyphen between words parts them as a blank does."""
    language = LANGUAGES[code]
    last, repeat = Token(""), None
    for match in _pattern(code).finditer(plain(text)):
        if match["mark"] == "," and "," in language.group_mark and _is_scale(last):
            continue  # "one thousand, two hundred"
        for token in _read(match, code):
            if repeat is not None:
                is_digit = token.numeral is not None and token.numeral.value < 10
                is_digit = is_digit or token.word in language.spoken_zeros
                yield from [token if is_digit else repeat] * language.repeats[repeat.word]
                repeat = None
                if is_digit:
                    continue
            last = token
            if token.word in language.repeats:
                repeat = token
            else:
                yield token


def runs(text: str, code: str) -> Iterator[list[Token]]:
    """The longest parts of nothing but numerals, and words that belong to them or spoil them."""
    language = LANGUAGES[code]
    tokens = list(scan(text, code))
    tokens = [_as_meant(tokens, at, language) for at in range(len(tokens))]
    run: list[Token] = []
    for at, token in enumerate([*tokens, Token("")]):
        if concerns_numbers(token, language) or _is_misheard(tokens, at, code):
            run.append(token)
        elif run:
            begin = at - len(run)
            is_time = begin > 0 and tokens[begin - 1].word in language.to_the_hour
            if not (is_time and len(run) > 1):  # "без двадцати пять" are two, and not 25
                yield run
            run = []


def concerns_numbers(token: Token, language: Language) -> bool:
    """Is this a number, or a word that says something of numbers?"""
    return (
        token.numeral is not None or token.digits is not None or token.word in language.companions
    )


@lru_cache
def _pattern(code: str) -> re.Pattern[str]:
    language = LANGUAGES[code]
    group, mark = language.group_mark, language.decimal_mark
    # Groups of thousands after an ordinary blank are one number only where one begins with 0: it
    # could not stand alone.
    whole = (
        rf"\d{{1,3}}(?:{group}\d{{3}})+(?!\d)"
        r"|\d{1,3}(?: \d{3})* 0\d\d(?: \d{3})*(?!\d)"
        r"|\d+"
    )
    return re.compile(
        r"(?P<word>[^\W\d_]\w*)"
        r"|(?P<parts>\d+(?:[.:/-]\d+){2,})"  # a date, an address: each part is a number
        rf"|(?P<sign>(?<![\w.,:/–-])[-−])?(?P<whole>{whole})"
        rf"(?:(?P<ordinal>{language.ordinal_ending})(?!\w)|(?:{mark}(?P<decimals>\d+))?)"
        r"|(?P<mark>[^\w\s-]|(?<=\s)-(?=\s)|_)"
    )


def _read(match: re.Match[str], code: str) -> Iterator[Token]:
    language = LANGUAGES[code]
    if match["word"]:
        word = match["word"]
        if word in language.forms:
            yield Token(word, language.forms[word])
        else:
            parts = () if word in language.companions else _parts(word, code)
            yield from [Token(part, language.cardinals[part]) for part in parts] or [Token(word)]
    elif match["mark"]:
        yield Token(match["mark"])
    elif match["parts"]:
        for part in re.split(r"\D", match["parts"]):
            yield from (Token(part, _numeral(part), part), Token("."))
    else:
        yield _in_digits(match)


def _in_digits(match: re.Match[str]) -> Token:
    digits = re.sub(r"\D", "", match["whole"])
    if match["decimals"]:
        return Token(match[0], None, f"{'-' if match['sign'] else ''}{digits}.{match['decimals']}")
    if match["sign"]:
        return Token(match[0], None, f"-{digits}")
    if match["ordinal"]:
        return Token(match[0], Numeral(int(digits), is_ordinal=True), None)
    return Token(match[0], _numeral(digits), digits)


def _numeral(digits: str) -> Numeral | None:
    is_plain = digits == "0" or not digits.startswith("0")
    return Numeral(int(digits)) if is_plain and len(digits) < len(str(LIMIT)) else None


@lru_cache(maxsize=4096)
def _parts(word: str, code: str) -> tuple[str, ...]:
    """The numerals that were written as one word ("двадцатьпять"), if they make one number."""
    known = LANGUAGES[code].cardinals

    def split(rest: str) -> tuple[str, ...] | None:
        if not rest:
            return ()
        for part in known:
            if rest.startswith(part) and (tail := split(rest[len(part) :])) is not None:
                return (part, *tail)
        return None

    parts = split(word) or ()
    return parts if compose([known[part] for part in parts]) is not None else ()


def _is_scale(token: Token) -> bool:
    numeral = token.numeral
    return numeral is not None and numeral.value >= 1000 and len(numeral.before) > 0


def _as_meant(tokens: list[Token], at: int, language: Language) -> Token:
    """A token, or the mere word where its neighbours say that it counts nothing."""
    word = tokens[at].word
    before = [token.word for token in tokens[max(at - 3, 0) : at]]
    if word in language.minus and language.pluses.intersection(before[-2:]):
        return Token(f"±{word}")
    is_part = len(before) == 3 and before[1] in language.parts_of and before[2] in language.articles
    if is_part and before[0] in language.spoilers | language.halves and _is_scale(tokens[at]):
        return Token(f"of {word}")
    return Token(word) if _is_pronoun(tokens, at, language) else tokens[at]


def _is_pronoun(tokens: list[Token], at: int, language: Language) -> bool:
    if tokens[at].word not in language.pronouns:
        return False
    after = at > 0 and tokens[at - 1].word in language.pronoun_after
    return after or (at + 1 < len(tokens) and tokens[at + 1].word in language.pronoun_before)


def _is_misheard(tokens: list[Token], at: int, code: str) -> bool:
    """Would a numeral that is spelt almost like this word make one number with its neighbour?"""
    if at == len(tokens):
        return False
    left = tokens[at - 1].numeral if at > 0 else None
    right = tokens[at + 1].numeral if at + 1 < len(tokens) else None
    if (left or right) is None:
        return False
    for numeral in _alike(tokens[at].word, code):
        if left is not None and compose([left, numeral]) is not None:
            return True
        if right is not None and compose([numeral, right]) is not None:
            return True
    return False


@lru_cache(maxsize=4096)
def _alike(word: str, code: str) -> list[Numeral]:
    known = LANGUAGES[code].cardinals
    return [known[each] for each in get_close_matches(word, known, n=3, cutoff=RESEMBLANCE)]
