"""Whole transcripts as labels: for recordings of a word or a command each."""

from collections.abc import Sequence

from kaskad.text.alphabet import AlphabetTokenizer


class PhraseTokenizer(AlphabetTokenizer):
    """A label a transcript, however many words it has: ``turn left`` is one.

    A transcript that training text does not hold has no label: it is left out of training,
    cannot be recognised, and is reported like an unknown character. With ``vocabulary`` only these
    phrases are recognised, and all others, in training as in tests, are ``unknown``. Raises
    ``ValueError`` if one of the two is given without the other.
    """

    def __init__(
        self,
        alphabet: Sequence[str] | None = None,
        vocabulary: Sequence[str] | None = None,
        unknown: str | None = None,
    ) -> None:
        if (vocabulary is None) != (unknown is None):
            raise ValueError(
                "tokenizer.vocabulary and tokenizer.unknown go together: the phrases that are told "
                "apart, and the label of all others"
            )
        self.vocabulary = None if vocabulary is None else frozenset(vocabulary)
        self.unknown_label = unknown or ""
        super().__init__(alphabet)

    def split(self, text: str) -> list[str]:
        return [text] if text else []

    def spell(self, transcripts: Sequence[str], language: str) -> list[str]:
        if self.vocabulary is None:
            return list(transcripts)
        known = self.vocabulary | {""}
        return [text if text in known else self.unknown_label for text in transcripts]
