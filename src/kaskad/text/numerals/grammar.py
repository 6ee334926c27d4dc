"""What makes one number: cardinals and ordinals, digits, years, decimals, halves."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from kaskad.text.numerals.numeral import LIMIT, Language, Numeral, compose
from kaskad.text.numerals.tokens import Token


@dataclass(frozen=True)
class Grammar:
    """Reads tokens as one number, in digits; ``None`` where they are not exactly one."""

    language: Language

    def number(self, tokens: Sequence[Token]) -> str | None:
        """Any number: "-5", "2.5", "007"."""
        if tokens[0].word in self.language.minus:
            is_one = len(tokens) > 1 and tokens[1].word not in self.language.minus
            number = self.number(tokens[1:]) if is_one else None
            return None if number is None or number.startswith("-") else f"-{number}"
        if len(tokens) == 1 and tokens[0].digits is not None:
            return tokens[0].digits
        for read in (self.cardinal, self._digits_from_zero, self._digits_around_zero, self.year):
            if (number := read(tokens)) is not None:
                return number
        fraction = self._fraction(tokens)
        return None if fraction is None else _written(fraction)

    def cardinal(self, tokens: Sequence[Token]) -> str | None:
        """A whole number, or an ordinal."""
        value = self._compose(tokens)
        return None if value is None else str(value)

    def _compose(self, tokens: Sequence[Token]) -> int | None:
        """The whole number that tokens make, the "a" and "and" of "a hundred and five" left out."""
        numerals: list[Numeral] = []
        for at, token in enumerate(tokens):
            follower = tokens[at + 1].numeral if at + 1 < len(tokens) else None
            if token.numeral is not None:
                numerals.append(token.numeral)
            elif follower is None or not (
                self._opens(token, follower, numerals) or self._joins(token, numerals)
            ):
                return None
        return compose(numerals)

    def _opens(self, token: Token, follower: Numeral, before: Sequence[Numeral]) -> bool:
        """Is this the article of "*a* hundred"?"""
        return token.word in self.language.articles and not before and len(follower.before) > 0

    def _joins(self, token: Token, before: Sequence[Numeral]) -> bool:
        """Is this the "and" of "a hundred *and* five"?"""
        return token.word in self.language.ands and len(before) > 0 and len(before[-1].before) > 0

    def _digit(self, token: Token) -> str | None:
        if token.word in self.language.spoken_zeros:
            return "0"
        numeral = token.numeral
        is_digit = numeral is not None and not numeral.is_ordinal and numeral.value < 10
        return str(numeral.value) if numeral is not None and is_digit else None

    def _digits(self, tokens: Sequence[Token]) -> str | None:
        digits = [self._digit(token) for token in tokens]
        return None if None in digits else "".join(d for d in digits if d is not None)

    def _digits_from_zero(self, tokens: Sequence[Token]) -> str | None:
        digits = self._digits(tokens)
        return digits if digits and len(digits) > 1 and digits.startswith("0") else None

    def _digits_around_zero(self, tokens: Sequence[Token]) -> str | None:
        """ "one oh five" is 105."""
        if not any(token.word in self.language.spoken_zeros for token in tokens[1:-1]):
            return None
        return self._digits(tokens)

    def year(self, tokens: Sequence[Token]) -> str | None:
        """ "nineteen eighty four", "nineteen oh five"."""
        if not self.language.reads_years or len(tokens) < 2:
            return None
        first, second = self._compose(tokens[:1]), self._compose(tokens[1:])
        if first is None or not 10 <= first <= 20 or tokens[0].digits is not None:
            return None
        if tokens[1].word in self.language.spoken_zeros and len(tokens) == 3 and first > 12:
            digits = self._digits(tokens[1:])
            return None if digits is None else f"{first}{digits}"
        if second is None or not 10 <= second <= 99 or tokens[-1].numeral is None:
            return None
        is_time = first <= 12 and second < 60
        is_count = second == first + 1 and second < 20  # "thirteen fourteen"
        return None if is_time or is_count or tokens[-1].numeral.is_ordinal else f"{first}{second}"

    def _fraction(self, tokens: Sequence[Token]) -> Decimal | None:
        """Decimals and halves, and thousands of them."""
        scale = tokens[-1].numeral
        if scale is not None and scale.value >= 1000 and scale.before and len(tokens) > 1:
            count = self._count_of_scale(tokens[:-1])
            product = None if count is None else count * scale.value
            return product if product is not None and product < LIMIT else None
        half = self.language.and_a_half
        if _ends_with(tokens, half):
            whole = tokens[: -len(half)]
            numeral = whole[-1].numeral if whole else None
            if numeral is not None and numeral.value >= 100 and numeral.before:
                # "a million and a half" is 1.5 million; of more millions nobody can say.
                is_one = self._compose(whole) == numeral.value and len(self.language.articles) > 0
                return Decimal("1.5") * numeral.value if is_one and numeral.value > 100 else None
        return self._mixed(tokens)

    def _count_of_scale(self, tokens: Sequence[Token]) -> Decimal | None:
        words = [token.word for token in tokens]
        if words[-1] in self.language.articles:
            words.pop()
        if len(words) == 1 and words[0] in self.language.halves:
            return Decimal("0.5")
        return self._mixed(tokens)

    def _mixed(self, tokens: Sequence[Token]) -> Decimal | None:
        half = self.language.and_a_half
        if len(tokens) == 1:
            if tokens[0].digits is not None and "." in tokens[0].digits:
                return Decimal(tokens[0].digits)
            return Decimal("1.5") if tokens[0].word in self.language.one_and_a_half else None
        if _ends_with(tokens, half):
            whole = self._compose_cardinal(tokens[: -len(half)])
            return None if whole is None else whole + Decimal("0.5")
        with_point = self._with_point(tokens)
        return self._in_tenths(tokens) if with_point is None else with_point

    def _with_point(self, tokens: Sequence[Token]) -> Decimal | None:
        """ "three point one four", "ноль запятая ноль пять"; "point five"."""
        points = [at for at, token in enumerate(tokens) if token.word in self.language.points]
        if len(points) != 1:
            return None
        whole, decimals = tokens[: points[0]], tokens[points[0] + 1 :]
        number = "0" if not whole or self._digits(whole) == "0" else self.cardinal(whole)
        digits = self._digits(decimals) or self._zeros_and_number(decimals)
        return Decimal(f"{number}.{digits}") if number is not None and digits else None

    def _zeros_and_number(self, tokens: Sequence[Token]) -> str | None:
        zeros = 0
        while zeros < len(tokens) and self._digit(tokens[zeros]) == "0":
            zeros += 1
        number = self._compose_cardinal(tokens[zeros:])
        return None if number is None or number >= 1000 else f"{'0' * zeros}{number}"

    def _in_tenths(self, tokens: Sequence[Token]) -> Decimal | None:
        """«пять целых двадцать пять сотых», «пять и три десятых», «три десятых»."""
        last = tokens[-1].numeral
        if not self.language.wholes or last is None or not last.is_ordinal:
            return None
        if str(last.value).strip("0") != "1" or last.value < 10:
            return None
        signs = self.language.wholes | self.language.tenths_follow
        at = max((at for at, token in enumerate(tokens) if token.word in signs), default=-1)
        part = self._compose_cardinal(tokens[at + 1 : -1])
        if part is None or part >= last.value:
            return None
        whole: int | None = 0
        if at >= 0:
            end = at - 1 if at > 0 and tokens[at - 1].word in self.language.wholes else at
            whole = self._compose_cardinal(tokens[:end])
        return None if whole is None else Decimal(f"{whole}.{part:0{len(str(last.value)) - 1}}")

    def _compose_cardinal(self, tokens: Sequence[Token]) -> int | None:
        return None if tokens and is_ordinal(tokens) else self._compose(tokens)


def is_ordinal(tokens: Sequence[Token]) -> bool:
    return tokens[-1].numeral is not None and tokens[-1].numeral.is_ordinal


def _ends_with(tokens: Sequence[Token], words: Sequence[str]) -> bool:
    return [token.word for token in tokens[-len(words) :]] == list(words)


def _written(number: Decimal) -> str:
    whole = number.to_integral_value()
    return str(int(number)) if whole == number and number >= 1000 else f"{number:f}"
