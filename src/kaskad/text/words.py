"""Words as labels: for small closed vocabularies."""

from kaskad.text.alphabet import AlphabetTokenizer


class WordTokenizer(AlphabetTokenizer):
    """A label a word.

    A word that training text does not hold has no label: it is left out of training, cannot be
    recognised, and is reported like an unknown character.
    """

    before = " "

    def split(self, text: str) -> list[str]:
        return text.split()
