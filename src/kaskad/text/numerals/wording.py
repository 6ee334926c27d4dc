"""A number as it is spoken."""

from num2words import num2words

from kaskad.text.numerals.numeral import LIMIT

# Sometimes spoken, and in no transcript of this project ("a hundred *and* five").
LEFT_OUT = {"en": "and"}


def number_to_words(number: int, language: str) -> str:
    """Return ``number`` as it is spoken, worded by num2words and spelt as a transcript.

    Lower case, single blanks, without hyphens, commas and the English "and":
    125 is "one hundred twenty five".

    Raises ``ValueError`` for a language that num2words does not know, and for a number below 0 or
    not below 10**15.
    """
    if not 0 <= number < LIMIT:
        raise ValueError(
            f"{number} cannot be put into words here: numbers go from 0 to {LIMIT - 1}"
        )
    try:
        words = num2words(number, lang=language)
    except NotImplementedError as error:
        raise ValueError(f"num2words cannot word numbers in the language '{language}'") from error
    spelt = words.lower().replace("-", " ").replace(",", " ").split()
    return " ".join(word for word in spelt if word != LEFT_OUT.get(language))
