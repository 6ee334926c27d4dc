"""Numbers in words are read as digits; where a text can be understood in two ways, not at all."""

from collections.abc import Sequence
from functools import lru_cache

from kaskad.text.numerals.grammar import Grammar, is_ordinal
from kaskad.text.numerals.languages import LANGUAGES, require_known
from kaskad.text.numerals.numeral import Language
from kaskad.text.numerals.tokens import Token, concerns_numbers, runs, scan

# Words that may follow a number before it goes on: "пять | целых сто двадцать пять | тысячных".
MOST_BETWEEN = 6
Linked = tuple[str, "Linked"] | None  # numbers, each with those that follow it


@lru_cache(maxsize=65_536)
def words_to_number(text: str, language: str) -> str | None:
    """Return the number that ``text`` is, in digits: "двадцать пять" is "25".

    ``None`` unless the whole text is exactly one number: one word beside it ("пять рублей"), two
    numbers, a misspelt numeral, numerals in an order that makes no number ("пять сто").

    Cases, genders and ordinals need not agree ("двадцать пятого" is "25"). A fraction has a point
    ("2.5"), a negative number its minus ("-5"). Digits that begin with zero keep it: "ноль ноль
    семь" is "007", "oh five" is "05".

    Raises ``ValueError`` for an unknown language.
    """
    require_known(language)
    spoken = LANGUAGES[language]
    tokens: list[Token] = []
    for token in scan(text.rstrip(" .!?…"), language):
        if not concerns_numbers(token, spoken):
            return None
        tokens.append(token)
    return Grammar(spoken).number(tokens) if tokens else None


def words_to_numbers(text: str, language: str) -> list[str]:
    """Return all numbers in ``text``, each as ``words_to_number`` gives it, in their order.

    "пять рублей десять копеек" has "5" and "10". Numerals that cannot be told apart into numbers,
    such as "две дюжины", "пять с лишним тысяч" or "двадцать пят", are left out.

    Raises ``ValueError`` for an unknown language.
    """
    require_known(language)
    number = words_to_number(text, language)
    if number is not None:
        return [number]
    spoken = LANGUAGES[language]
    return [part for run in runs(text, language) for part in _Run(spoken, run).numbers()]


class _Run:
    """Neighbouring words that concern numbers, and the numbers that they are."""

    def __init__(self, language: Language, run: Sequence[Token]) -> None:
        self.language = language
        self.grammar = Grammar(language)
        self.run = run

    def numbers(self) -> list[str]:
        """The fewest numbers that make up the run; none if part of it belongs to no number."""
        size = len(self.run)
        # From each token on: how many numbers there are, how many words are left out, the numbers.
        best: list[tuple[int, int, Linked] | None] = [None] * size + [(0, 0, None)]
        for start in reversed(range(size)):
            rest = best[start + 1]
            if rest is not None and self._is_filler(start):
                best[start] = rest[0], rest[1] + 1, rest[2]
            failed = 0
            for end in range(start + 1, size + 1):
                number = self._part(start, end)
                failed = 0 if number is not None else failed + 1
                if failed > MOST_BETWEEN:
                    break
                rest, current = best[end], best[start]
                if number is None or rest is None:
                    continue
                # Of splits that are alike, that with the longest number first.
                if current is None or (rest[0] + 1, rest[1]) <= current[:2]:
                    best[start] = rest[0] + 1, rest[1], (number, rest[2])
        return _flat(best[0][2]) if best[0] is not None else []

    def _part(self, start: int, end: int) -> str | None:
        """Read them as one of several numbers: what follows a number must not belong to it."""
        tokens = self.run[start:end]
        first = tokens[0]
        follows = start > 0 and self.run[start - 1].numeral is not None
        if follows and (first.word in self.language.minus or _is_bare_scale(tokens)):
            return None  # "десять минус пять", "тысяча миллион"
        if follows and _is_one(self.run[start - 1]) and is_ordinal(tokens):
            return None  # "one fifth"
        return None if self._needs_company(start, end) else self.grammar.number(tokens)

    def _needs_company(self, start: int, end: int) -> bool:
        tokens = self.run[start:end]
        if self.language.articles and _is_bare_scale(tokens):
            return True  # "several thousand"
        if len(tokens) == 1:
            return tokens[0].word in self.language.rarely_alone | self.language.units
        if tokens[0].word in self.language.points:
            return True
        if tokens[0].word in self.language.spoken_zeros:
            return start == 0 or self.run[start - 1].numeral is None
        if self.grammar.cardinal(tokens) is not None or self.grammar.year(tokens) is None:
            return False
        beside = [*self.run[max(start - 1, 0) : start], *self.run[end : end + 1]]
        return any(t.numeral is not None and not t.numeral.is_ordinal for t in beside)

    def _is_filler(self, at: int) -> bool:
        """May this word stand between two numbers? "ten second delay": yes; «три пятых»: no."""
        token = self.run[at]
        if token.word in self.language.rarely_alone:
            return at == 0 or self.run[at - 1].numeral is None
        is_word = token.numeral is None and token.word in self.language.fillers
        return is_word or token.word in self.language.units


def _is_bare_scale(tokens: Sequence[Token]) -> bool:
    return tokens[0].numeral is not None and len(tokens[0].numeral.before) > 0


def _is_one(token: Token) -> bool:
    return token.numeral is not None and token.numeral.value == 1 and not token.numeral.is_ordinal


def _flat(linked: Linked) -> list[str]:
    numbers = []
    while linked is not None:
        number, linked = linked
        numbers.append(number)
    return numbers
