"""Numbers in words to digits and back."""

from collections.abc import Sequence

from kaskad.text.numerals.languages import LANGUAGES
from kaskad.text.numerals.numeral import LIMIT, compose
from kaskad.text.numerals.reader import words_to_number, words_to_numbers
from kaskad.text.numerals.wording import number_to_words

__all__ = [
    "LIMIT",
    "NUMERALS",
    "is_cardinal",
    "number_to_words",
    "words_to_number",
    "words_to_numbers",
]

# The words in which numbers are counted, by language.
NUMERALS = {code: language.cardinals for code, language in LANGUAGES.items()}


def is_cardinal(words: Sequence[str], language: str) -> bool:
    """Whether ``words``, each of NUMERALS, are one number as it is counted ("двадцать пять")."""
    known = NUMERALS[language]
    if any(word not in known for word in words):
        return False
    return compose([known[word] for word in words]) is not None
