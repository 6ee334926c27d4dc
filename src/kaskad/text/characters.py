"""Characters as labels: the tokenizer with the least to go wrong."""

from kaskad.text.alphabet import AlphabetTokenizer


class CharacterTokenizer(AlphabetTokenizer):
    """A label a character."""

    def split(self, text: str) -> list[str]:
        return list(text)
