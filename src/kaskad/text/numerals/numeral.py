"""What a numeral is, and how numerals make one number together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

LIMIT = 1000**5  # numbers are below this: trillions are the last scale in the tables
NOTHING = range(0)


class Numeral(NamedTuple):
    """One spoken numeral, and which numbers may stand beside it.

    A number in ``before`` multiplies it (*five* thousand), one in ``after`` is added (twenty
    *five*); both are in ascending order. Nothing follows an ordinal. A numeral with
    ``needs_count`` is no number unless something multiplies it ("тысяч", "hundreds").
    """

    value: int
    before: Sequence[int] = NOTHING
    after: Sequence[int] = NOTHING
    is_ordinal: bool = False
    needs_count: bool = False


@dataclass(frozen=True)
class Language:
    """The numerals of a language, and the words around them that matter.

    ``cardinals`` are the words in which numbers are counted, ``forms`` all that are understood:
    cases, genders, ordinals. Every word of ``forms`` is spelt as ``reader.plain`` spells it.
    """

    cardinals: Mapping[str, Numeral]
    forms: Mapping[str, Numeral]
    minus: frozenset[str]
    points: frozenset[str]  # between a whole number and its decimals
    decimal_mark: str  # the same in digits, as a class of a regular expression
    group_mark: str  # between thousands in digits
    ordinal_ending: str  # after digits
    and_a_half: tuple[str, ...]
    halves: frozenset[str]  # before a scale: "half a million"
    spoilers: frozenset[str]  # "two thirds", "две дюжины": what they count is no number
    one_and_a_half: frozenset[str] = frozenset()
    wholes: frozenset[str] = frozenset()  # "пять целых три десятых"
    tenths_follow: frozenset[str] = frozenset()  # "пять и три десятых"
    ands: frozenset[str] = frozenset()  # "a hundred and five"
    articles: frozenset[str] = frozenset()
    spoken_zeros: frozenset[str] = frozenset()  # zeros beside digits alone: "one oh five"
    repeats: Mapping[str, int] = field(default_factory=dict)  # "double seven"
    # Numerals that are something else where they stand alone: "во-первых", and, as a unit,
    # "wait a second".
    rarely_alone: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    # A numeral is a pronoun after, and before, these words ("no one", "один из").
    pronouns: frozenset[str] = frozenset()
    pronoun_after: frozenset[str] = frozenset()
    pronoun_before: frozenset[str] = frozenset()
    reads_years: bool = False  # "nineteen eighty four" is 1984
    to_the_hour: frozenset[str] = frozenset()  # what follows is two numbers: "без двадцати пять"
    pluses: frozenset[str] = frozenset()  # "плюс минус пять" is not -5
    parts_of: frozenset[str] = frozenset()  # "three quarters of a million" is not a million

    @cached_property
    def fillers(self) -> frozenset[str]:
        """Words that belong to a number in some places, and elsewhere part two numbers."""
        between = self.minus | self.points | self.wholes | self.tenths_follow | self.ands
        return between.union(self.articles, self.spoken_zeros, self.and_a_half[:-1])

    @cached_property
    def companions(self) -> frozenset[str]:
        """Words, other than numerals, that say something of the numbers beside them."""
        return self.fillers | self.halves | self.one_and_a_half | self.spoilers | {*self.and_a_half}


def words(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())


def row(
    forms_of_all: str, values: Iterable[int], before: range = NOTHING, after: range = NOTHING
) -> dict[str, Numeral]:
    """Numerals between blanks, each with forms between bars, and their values."""
    return {
        form: Numeral(value, before, after)
        for forms, value in zip(forms_of_all.split(), values, strict=True)
        for form in forms.split("|")
    }


def scales(forms_of_all: str, *, needs_count: bool = False) -> dict[str, Numeral]:
    """Thousand, million, billion, trillion: forms between bars."""
    return {
        form: Numeral(
            1000**power,
            before=range(1, 1000),
            after=range(1, 1000**power),
            needs_count=needs_count,
        )
        for power, forms in enumerate(forms_of_all.split(), start=1)
        for form in forms.split("|")
    }


def compose(numerals: Sequence[Numeral], allowed: Sequence[int] = range(LIMIT)) -> int | None:
    """Return the one number that all numerals make together, ``None`` if they do not make one.

    It is count × largest + rest, and all three must be what may stand there.
    """
    if not numerals or any(numeral.is_ordinal for numeral in numerals[:-1]):
        return None
    at = max(range(len(numerals)), key=lambda index: numerals[index].value)
    largest = numerals[at]
    if not allowed or largest.value > allowed[-1] or (at == 0 and largest.needs_count):
        return None
    count = compose(numerals[:at], largest.before) if at > 0 else 1
    rest = compose(numerals[at + 1 :], largest.after) if at + 1 < len(numerals) else 0
    if count is None or rest is None:
        return None
    number = count * largest.value + rest
    return number if number in allowed else None
